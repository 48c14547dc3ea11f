"""Runs the end-to-end tests: every function test_* of every test_*.py here. A test is given a Lab class and leaves nothing.

--only WORD: the files whose name holds WORD, or the one test of that name; --quick: tests marked quick; -v: as they run.
Closes with "N passed, N failed".
"""
import argparse
import concurrent.futures
import importlib
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lab")]


def quick(test):
    test.quick = True
    return test


def alone(test):
    """Marks a test that measures time or load: nothing else runs beside it."""
    test.alone = True
    return test


def find(only, quick_only):
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, test in vars(module).items():
            if not name.startswith("test_") or not callable(test) or test.__module__ != path.stem:
                continue
            if only and only not in path.stem and only not in name:
                continue
            if quick_only and not getattr(test, "quick", False):
                continue
            yield path.stem, name, test


def run_one(module, name, test):
    start = time.monotonic()
    try:
        test()
        trouble = None
    except Exception:
        trouble = traceback.format_exc()
    return module, name, trouble, time.monotonic() - start


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--only", default="")
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("-j", type=int, default=3)
    options = arguments.parse_args()
    tests = list(find(options.only, options.quick))
    passed = failed = 0

    def tell(outcome):
        nonlocal passed, failed
        module, name, trouble, seconds = outcome
        print(f"{'ok    ' if trouble is None else 'FAILED'} {module}.{name} ({seconds:.1f} s)", flush=True)
        if trouble is None:
            passed += 1
        else:
            failed += 1
            print(trouble, flush=True)

    together = [test for test in tests if not getattr(test[2], "alone", False)]
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run_one, *test) for test in together]):
            tell(future.result())
    for test in tests:
        if getattr(test[2], "alone", False):
            tell(run_one(*test))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.modules["run"] = sys.modules["__main__"]
    sys.exit(main())
