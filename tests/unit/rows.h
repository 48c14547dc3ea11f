/* rows.h - table-driven tests: every row of a table runs as a test of its own name. */
#ifndef MG_TESTS_ROWS_H
#define MG_TESTS_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

/* Adds one test per row; the row arrives in *state. Rows begin with their name. */
#define ADD_ROWS(tests, n, table, function)                                                                            \
	for (size_t row_ = 0; row_ < ROWS(table); row_++)                                                              \
		(tests)[(n)++] = (struct CMUnitTest)                                                                   \
		{                                                                                                      \
			(table)[row_].name, function, NULL, NULL, (void *)(uintptr_t) & (table)[row_]                  \
		}

#endif
