/* Scripts of records and log lines, and the transactions that must come of them. Where a case says `any_order`, its
 * record is put at every place among the lines, each time with and without a batch of its own for every step: the
 * result must always be the same. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "journal_kit.h"

struct outcome_case {
	const char *name;
	bool any_order;
	const char *record; /* NULL: without */
	const char *script;
	const char *expected;
	int corrections; /* calls of `corrected`; -1: don't look */
};

#define CLIENT_Q1 "client q=Q1 t=10.5 pid=7 ip=192.0.2.1 name=mx.example\n"
#define MESSAGE_Q1                                                                                                     \
	"msgid q=Q1 t=10.6 msgid=m1@example\n"                                                                         \
	"queued q=Q1 t=11 from=s@example size=1234\n"
#define SENT_A "delivery q=Q1 t=12 to=a@x relay=mx.x[198.51.100.1]:25 code=250 dsn=2.0.0 status=sent reply=250_ok\n"
#define RECORD "record q=Q1 t=10 end=11 pid=7 ip=192.0.2.1 name=mx.example from=s@example "
#define REFUSAL                                                                                                        \
	"reject t=10.5 pid=7 ip=192.0.2.1 name=mx.example stage=RCPT code=554 dsn=5.7.1 reply=no from=s@example "
#define POSTFIX  "'verdict':{'action':'reject','rule':'postfix:5.7.1','code':'554 5.7.1','text':'no'}"
#define ACCEPTED "'verdict':{'action':'accept','rule':'','code':'','text':''}"
#define LOG_ONLY "'verdict':{'action':'accept','rule':'log-only'}"

static const struct outcome_case outcome_cases[] = {
	{ "a message from connect to the end", true, RECORD "rcpt=a@x",
		CLIENT_Q1 MESSAGE_Q1 SENT_A "removed q=Q1 t=12\n",
		"[{'queue_id':'Q1','sender':'s@example','service':'postfix/smtpd','message_id':'m1@example','size':1234,"
		"'doors':['policy']," ACCEPTED
		",'recipients':[{'address':'a@x','verdict':'accept','delivery':'sent','dsn':'2.0.0','reply':'250 ok',"
		"'relay':'mx.x[198.51.100.1]:25'}]}]",
		0 },
	{ "whole seconds", true, RECORD "rcpt=a@x",
		"client q=Q1 t=9 pid=7 ip=192.0.2.1\nmsgid q=Q1 t=10 msgid=m1@example\nqueued q=Q1 t=10 size=7\n" SENT_A
		"removed q=Q1 t=12\n",
		"[{'queue_id':'Q1','recipients':[{'delivery':'sent'}]}]", 0 },
	{ "the log's lines went to a half of policy's: the milter's record settles it", false, NULL,
		"record t=10 end=11 pid=7 ip=192.0.2.1 name=mx.example from=s@example rcpt=a@x\n" CLIENT_Q1 MESSAGE_Q1
			SENT_A "removed q=Q1 t=12\nwait 1\n" RECORD "rcpt=a@x doors=milter\n",
		"[{'queue_id':'Q1','doors':['milter','policy'],'log_seen':true,'recipients':[{'delivery':'sent'}]}]",
		0 },
	{ "put off, then sent", true, RECORD "rcpt=a@x",
		CLIENT_Q1 MESSAGE_Q1 "delivery q=Q1 t=12 to=a@x relay=none dsn=4.4.1 status=deferred reply=refused\n"
				     "queued q=Q1 t=300 from=s@example size=1234\n"
				     "delivery q=Q1 t=301 to=a@x relay=mx.x[198.51.100.1]:25 dsn=2.0.0 status=sent\n",
		"[{'recipients':[{'address':'a@x','delivery':'sent','dsn':'2.0.0'}]}]", 0 },
	{ "put off, then expired", true, RECORD "rcpt=a@x rcpt=b@x",
		CLIENT_Q1 MESSAGE_Q1 SENT_A
		"delivery q=Q1 t=12 to=b@x relay=none dsn=4.4.1 status=deferred reply=refused\nexpired q=Q1 t=90000\n"
		"notice q=Q1 t=90000 child=Q2\nremoved q=Q1 t=90000\n",
		"[{'recipients':[{'address':'a@x','delivery':'sent'},{'address':'b@x','delivery':'expired',"
		"'dsn':'4.4.1','reply':'refused'}]}]",
		0 },
	{ "an alias: the worst wins until all are sent", true, RECORD "rcpt=list@x",
		CLIENT_Q1 MESSAGE_Q1 "delivery q=Q1 t=12 to=a@x orig_to=list@x dsn=2.0.0 status=sent reply=one\n"
				     "delivery q=Q1 t=12 to=b@x orig_to=list@x dsn=4.0.0 status=deferred reply=two\n",
		"[{'recipients':[{'address':'list@x','delivery':'deferred','reply':'two'}]}]", 0 },
	{ "an alias: all sent in the end", true, RECORD "rcpt=list@x",
		CLIENT_Q1 MESSAGE_Q1 "delivery q=Q1 t=12 to=a@x orig_to=list@x dsn=2.0.0 status=sent reply=one\n"
				     "delivery q=Q1 t=12 to=b@x orig_to=list@x dsn=4.0.0 status=deferred reply=two\n"
				     "delivery q=Q1 t=99 to=b@x orig_to=list@x dsn=2.0.0 status=sent reply=three\n",
		"[{'recipients':[{'address':'list@x','delivery':'sent','reply':'three'}]}]", 0 },
	{ "an alias: one bounced", true, RECORD "rcpt=list@x",
		CLIENT_Q1 MESSAGE_Q1 "delivery q=Q1 t=12 to=a@x orig_to=list@x dsn=5.1.1 status=bounced reply=one\n"
				     "delivery q=Q1 t=12 to=b@x orig_to=list@x dsn=2.0.0 status=sent reply=two\n",
		"[{'recipients':[{'address':'list@x','delivery':'bounced','reply':'two'}]}]", 0 },
	{ "an alias: put off, expired", true, RECORD "rcpt=list@x",
		CLIENT_Q1 MESSAGE_Q1 "delivery q=Q1 t=12 to=a@x orig_to=list@x dsn=4.1.1 status=deferred reply=one\n"
				     "delivery q=Q1 t=12 to=b@x orig_to=list@x dsn=2.0.0 status=sent reply=two\n"
				     "expired q=Q1 t=99\n",
		"[{'recipients':[{'address':'list@x','delivery':'expired'}]}]", 0 },
	{ "domains match without case, local parts with it", true, RECORD "rcpt=A@X",
		CLIENT_Q1 MESSAGE_Q1 "delivery q=Q1 t=12 to=A@x dsn=2.0.0 status=sent\n"
				     "delivery q=Q1 t=12 to=a@x dsn=5.1.1 status=bounced\n",
		"[{'recipients':[{'address':'A@X','delivery':'sent'},{'address':'a@x','delivery':'bounced'}]}]", 0 },
	{ "a copy by always_bcc", true, RECORD "rcpt=a@x",
		CLIENT_Q1 MESSAGE_Q1 SENT_A "delivery q=Q1 t=12 to=archive@x dsn=2.0.0 status=sent\n",
		"[{'recipients':[{'address':'a@x','delivery':'sent'},{'address':'archive@x','delivery':'sent'}]}]", 0 },
	{ "held by an administrator", true, RECORD "rcpt=a@x", CLIENT_Q1 MESSAGE_Q1 "hold q=Q1 t=12\n",
		"[{" ACCEPTED ",'recipients':[{'delivery':'held'}]}]", 0 },
	{ "held and released", true, RECORD "rcpt=a@x", CLIENT_Q1 MESSAGE_Q1 "hold q=Q1 t=12\nrelease q=Q1 t=20\n",
		"[{'recipients':[{'delivery':'unknown'}]}]", 0 },
	{ "put off, held, released", true, RECORD "rcpt=a@x",
		CLIENT_Q1 MESSAGE_Q1
		"delivery q=Q1 t=12 to=a@x dsn=4.0.0 status=deferred\nhold q=Q1 t=13\nrelease q=Q1 t=20\n",
		"[{'recipients':[{'delivery':'unknown'}]}]", 0 },
	{ "held by us", true, RECORD "rcpt=a@x action=quarantine rule=abuse",
		CLIENT_Q1 "hold q=Q1 t=10.7 daemon=cleanup\n" MESSAGE_Q1,
		"[{'verdict':{'action':'quarantine','rule':'abuse'},'recipients':[{'delivery':'held'}]}]", 0 },
	{ "held by another filter", true, RECORD "rcpt=a@x",
		CLIENT_Q1 "milter q=Q1 t=10.8 verb=hold stage=END-OF-MESSAGE ip=192.0.2.1 reply=suspect\n",
		"[{'verdict':{'action':'quarantine','rule':'postfix:milter-hold'},'recipients':[{'delivery':'held'}]}]",
		1 },
	{ "thrown away by Postfix", true, RECORD "rcpt=a@x", CLIENT_Q1 "discard q=Q1 t=10.8 stage=RCPT reply=gone\n",
		"[{'verdict':{'action':'discard','rule':'postfix:discard'}}]", 1 },
	{ "refused at the end by another filter", true, RECORD "rcpt=a@x rcpt=b@x",
		CLIENT_Q1 "milter q=Q1 t=10.8 verb=reject stage=END-OF-MESSAGE ip=192.0.2.1 dsn=5.7.1 reply=spam\n",
		"[{'verdict':{'action':'reject','rule':'postfix:5.7.1','code':'5.7.1','text':'spam'},'recipients':["
		"{'address':'a@x','verdict':'reject','delivery':'unknown','dsn':'5.7.1','reply':'spam'},"
		"{'address':'b@x','verdict':'reject'}]}]",
		1 },
	{ "refused at the end by ourselves", true,
		RECORD "rcpt=a@x=reject=550=5.7.1=ours action=reject rule=dmarc code=550_5.7.1 text=ours",
		CLIENT_Q1 "milter q=Q1 t=10.8 verb=reject stage=END-OF-MESSAGE ip=192.0.2.1 dsn=5.7.1 reply=ours_too\n",
		"[{'verdict':{'action':'reject','rule':'dmarc','code':'550 5.7.1','text':'ours'},"
		"'recipients':[{'verdict':'reject','reply':'ours'}]}]",
		0 },
	{ "one recipient refused behind us, by queue id", true, RECORD "rcpt=a@x rcpt=b@x",
		CLIENT_Q1 "reject q=Q1 t=10.6 pid=7 ip=192.0.2.1 stage=RCPT code=550 dsn=5.1.1 reply=unknown to=b@x "
			  "from=s@example\n" MESSAGE_Q1 SENT_A,
		"[{" ACCEPTED ",'recipients':[{'address':'a@x','verdict':'accept','delivery':'sent'},"
		"{'address':'b@x','verdict':'reject','delivery':'unknown','code':'550','dsn':'5.1.1',"
		"'reply':'unknown'}]}]",
		0 },
	{ "refused by Postfix behind our policy door", true,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x", REFUSAL "to=a@x\n",
		"[{" POSTFIX ",'queue_id':'','recipients':[{'address':'a@x','verdict':'reject','delivery':'unknown',"
		"'code':'554','dsn':'5.7.1','reply':'no'}]}]",
		1 },
	{ "refused by Postfix before our policy door", true, "record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example",
		REFUSAL "to=a@x\n", "[{" POSTFIX ",'recipients':[{'address':'a@x','verdict':'reject'}]}]", 1 },
	{ "our own refusal stands in the log too", true,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x=reject=554=5.7.1=ours action=reject "
		"rule=relay code=554_5.7.1 text=ours",
		REFUSAL "to=a@x\n",
		"[{'verdict':{'action':'reject','rule':'relay','text':'ours'},'recipients':[{'reply':'ours'}]}]", 0 },
	{ "soft_bounce made our refusal temporary", true,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x=reject=554=5.7.1=ours action=tempfail "
		"rule=relay",
		"reject t=10.5 pid=7 ip=192.0.2.1 stage=RCPT code=450 dsn=4.7.1 reply=no from=s@example to=a@x\n",
		"[{'verdict':{'action':'tempfail','rule':'relay'},'recipients':[{'verdict':'tempfail','code':'450'}]}]",
		0 },
	{ "two refused, one for good", true, "record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x rcpt=b@x",
		"reject t=10.5 pid=7 ip=192.0.2.1 stage=RCPT code=450 dsn=4.2.0 reply=later from=s@example to=a@x\n" REFUSAL
		"to=b@x\n",
		"[{" POSTFIX
		",'recipients':[{'address':'a@x','verdict':'tempfail'},{'address':'b@x','verdict':'reject'}]}]",
		1 },
	{ "reject_warning changes nothing", true, "record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x",
		REFUSAL "to=a@x verb=reject_warning\n", "[{" ACCEPTED ",'recipients':[{'verdict':'accept'}]}]", 0 },
	{ "a record without smtpd: by client, sender, recipient", true,
		"record t=10 end=11 ip=192.0.2.1 from=s@example rcpt=a@x",
		"reject t=14 pid=7 ip=192.0.2.1 stage=RCPT code=554 dsn=5.7.1 reply=no from=s@example to=a@x\n",
		"[{" POSTFIX ",'recipients':[{'verdict':'reject'}]}]", 1 },
	{ "what the milter saw accepted was refused in another session", false, NULL,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x doors=milter\n"
		"reject t=11 pid=7 ip=192.0.2.1 stage=RCPT code=554 dsn=5.7.1 reply=no from=s@example to=a@x\n"
		"disconnect t=12 pid=7 ip=192.0.2.1\nwait 31\n",
		"[{" ACCEPTED "},{'doors':[],'verdict':{'action':'reject'}}]", 0 },
	{ "observed, and refused by Postfix", true,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x action=observe would=reject rule=relay",
		REFUSAL "to=a@x\n", "[{'verdict':{'action':'reject','would':'reject','rule':'relay','text':'no'}}]",
		1 },
	{ "a refusal before, a message after, of one connection", true, RECORD "rcpt=b@x",
		"reject t=10.2 pid=7 ip=192.0.2.1 stage=RCPT code=550 dsn=5.1.1 reply=no from=s@example to=a@x\n" CLIENT_Q1
			MESSAGE_Q1 "delivery q=Q1 t=12 to=b@x dsn=2.0.0 status=sent\n",
		"[{'queue_id':'Q1'," ACCEPTED ",'recipients':[{'address':'b@x','delivery':'sent'},"
		"{'address':'a@x','verdict':'reject','dsn':'5.1.1'}]}]",
		0 },
	{ "the policy door alone gets the queue id from the log", true,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x", CLIENT_Q1 MESSAGE_Q1 SENT_A,
		"[{'queue_id':'Q1','message_id':'m1@example','recipients':[{'delivery':'sent'}]}]", 0 },
	{ "the log alone", false, NULL, CLIENT_Q1 MESSAGE_Q1 SENT_A "removed q=Q1 t=12\nwait 31\n",
		"[{'queue_id':'Q1'," LOG_ONLY ",'doors':[],'relay':'','sender':'s@example','size':1234,'message_id':"
		"'m1@example','client':{'ip':'192.0.2.1','name':'mx.example'},'recipients':[{'address':'a@x',"
		"'verdict':'accept','delivery':'sent'}]}]",
		0 },
	{ "the log alone is hidden at first", false, NULL, CLIENT_Q1 MESSAGE_Q1 SENT_A "wait 4\n", "[]", 0 },
	{ "the log alone is shown once qmgr has it", false, NULL, CLIENT_Q1 MESSAGE_Q1 SENT_A "wait 6\n",
		"[{'queue_id':'Q1'," LOG_ONLY ",'recipients':[{'delivery':'sent'}]}]", 0 },
	{ "a record after the wait", false, NULL, CLIENT_Q1 MESSAGE_Q1 SENT_A "wait 31\n" RECORD "rcpt=a@x\n",
		"[{'queue_id':'Q1','doors':['policy']," ACCEPTED ",'recipients':[{'delivery':'sent'}]}]", 0 },
	{ "a connection that brings no message", false, NULL, CLIENT_Q1 "disconnect t=12 pid=7 ip=192.0.2.1\nwait 31\n",
		"[]", 0 },
	{ "submitted on this host", false, NULL,
		"pickup q=Q1 t=10 uid=1000 from=root\nmsgid q=Q1 t=10 msgid=m@h\nqueued q=Q1 t=10 from=root@h size=3\n"
		"delivery q=Q1 t=12 to=a@x relay=local status=sent\nwait 31\n",
		"[{'queue_id':'Q1','service':'postfix/pickup','sender':'root@h'," LOG_ONLY
		",'recipients':[{'delivery':'sent'}]}]",
		0 },
	{ "address verification probes stay hidden", false, NULL,
		"msgid q=Q1 t=10 msgid=m@h\nqueued q=Q1 t=10 from=double-bounce@h size=3\n"
		"delivery q=Q1 t=50 to=a@x relay=none status=undeliverable\nwait 31\nremoved q=Q1 t=50\nwait 31\n",
		"[]", 0 },
	{ "refusals of one connection and sender are one", false, NULL,
		REFUSAL "to=a@x\n" REFUSAL "to=b@x\ndisconnect t=12 pid=7 ip=192.0.2.1\n" REFUSAL "to=c@x\nwait 31\n",
		"[{" POSTFIX ",'doors':[],'recipients':[{'address':'a@x','verdict':'reject'},{'address':'b@x'}]},"
		"{'recipients':[{'address':'c@x'}]}]",
		0 },
	{ "refusals of two senders are two", false, NULL,
		REFUSAL "to=a@x\nreject t=10.6 pid=7 ip=192.0.2.1 stage=RCPT code=450 dsn=4.2.0 reply=z from=o@example "
			"to=b@x\nwait 31\n",
		"[{'sender':'s@example'},{'sender':'o@example','verdict':{'action':'tempfail','code':'450 4.2.0'}}]",
		0 },
	{ "refused at MAIL, HELO or connect", false, NULL,
		"reject t=10 pid=7 ip=192.0.2.1 stage=CONNECT code=554 dsn=5.7.1 reply=no\n"
		"disconnect t=10 pid=7 ip=192.0.2.1\n"
		"reject t=11 pid=7 ip=192.0.2.1 stage=MAIL code=450 dsn=4.1.8 reply=no from=s@example\nwait 31\n",
		"[{" POSTFIX ",'recipients':[]},{'verdict':{'action':'tempfail'},'recipients':[]}]", 0 },
	{ "postscreen", false, NULL,
		"postscreen t=10 pid=9 service=postfix/postscreen ip=192.0.2.1 port=4000 stage=RCPT code=550 dsn=5.7.1 "
		"reply=no from=s@example to=a@x\n"
		"postscreen t=10 pid=9 service=postfix/postscreen ip=192.0.2.1 port=4001 stage=RCPT code=550 dsn=5.7.1 "
		"reply=no from=s@example to=a@x\nwait 31\n",
		"[{'service':'postfix/postscreen','verdict':{'action':'reject'}},{'service':'postfix/postscreen'}]",
		0 },
	{ "a bounce belongs to its message", false, NULL,
		RECORD "rcpt=a@x\n" CLIENT_Q1 MESSAGE_Q1 "delivery q=Q1 t=12 to=a@x status=bounced dsn=5.1.1\n"
		       "msgid q=Q2 t=12 msgid=b@h\nnotice q=Q1 t=12 child=Q2\nqueued q=Q2 t=12 from= size=9\n"
		       "removed q=Q1 t=12\ndelivery q=Q2 t=13 to=s@example status=sent\nremoved q=Q2 t=13\nwait 31\n",
		"[{'queue_id':'Q1','parent':''},{'queue_id':'Q2','sender':''," LOG_ONLY "}]", 0 },
	{ "a bounce announced before it is there", false, NULL,
		RECORD "rcpt=a@x\n" CLIENT_Q1 MESSAGE_Q1 "notice q=Q1 t=12 child=Q2\nmsgid q=Q2 t=12 msgid=b@h\n"
		       "queued q=Q2 t=12 from= size=9\ndelivery q=Q2 t=13 to=s@example status=sent\nwait 31\n",
		"[{'queue_id':'Q1'},{'queue_id':'Q2','message_id':'b@h'}]", 0 },
	{ "a queue id is used again", false, NULL,
		RECORD "rcpt=a@x\n" CLIENT_Q1 MESSAGE_Q1 SENT_A "removed q=Q1 t=12\n"
		       "record q=Q1 t=100 end=101 pid=8 ip=192.0.2.2 from=o@example rcpt=a@x\n"
		       "client q=Q1 t=100 pid=8 ip=192.0.2.2\nqueued q=Q1 t=101 from=o@example size=5\n"
		       "delivery q=Q1 t=101 to=a@x status=bounced\nremoved q=Q1 t=101\n",
		"[{'sender':'s@example','recipients':[{'delivery':'sent'}]},"
		"{'sender':'o@example','recipients':[{'delivery':'bounced'}]}]",
		0 },
	{ "a queue id is used again, the new record before the old lines", false, NULL,
		RECORD "rcpt=a@x\n" CLIENT_Q1
		       "record q=Q1 t=12.5 end=14 pid=8 ip=192.0.2.2 from=o@example rcpt=a@x\n" MESSAGE_Q1
		       "delivery q=Q1 t=12 to=a@x status=sent\nremoved q=Q1 t=12\n"
		       "client q=Q1 t=12 pid=8 ip=192.0.2.2\ndelivery q=Q1 t=14 to=a@x status=bounced\n",
		"[{'sender':'s@example','recipients':[{'delivery':'sent'}]},"
		"{'sender':'o@example','recipients':[{'delivery':'bounced'}]}]",
		0 },
	{ "a queue id is used again without removed", false, NULL,
		CLIENT_Q1 MESSAGE_Q1
		"client q=Q1 t=500 pid=8 ip=192.0.2.2\nqueued q=Q1 t=501 from=o@example size=5\nwait 31\n",
		"[{'sender':'s@example'},{'sender':'o@example'}]", 0 },
	{ "the client went away because another filter refused", true,
		RECORD "rcpt=a@x action=tempfail rule=client:reset",
		CLIENT_Q1 "milter q=Q1 t=10.8 verb=reject stage=END-OF-MESSAGE ip=192.0.2.1 dsn=5.7.1 reply=spam\n",
		"[{'verdict':{'action':'reject','rule':'postfix:5.7.1','text':'spam'}}]", 1 },
	{ "the client went away because Postfix put it off", true,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x action=tempfail rule=client:gone",
		"reject t=10.5 pid=7 ip=192.0.2.1 stage=RCPT code=450 dsn=4.2.0 reply=later from=s@example to=a@x\n",
		"[{'verdict':{'action':'tempfail','rule':'postfix:4.2.0','text':'later'}}]", 0 },
	{ "the client went away, one recipient of two was refused", true,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x rcpt=b@x action=tempfail rule=client:gone",
		REFUSAL "to=a@x\n",
		"[{'verdict':{'action':'tempfail','rule':'client:gone'},'recipients':[{'verdict':'reject'},"
		"{'verdict':'accept'}]}]",
		0 },
	{ "a line after the end is of another life", false, NULL,
		CLIENT_Q1 MESSAGE_Q1 SENT_A "removed q=Q1 t=12\nqueued q=Q1 t=200 from=o@example size=5\nwait 31\n",
		"[{'sender':'s@example','recipients':[{'delivery':'sent'}]},{'sender':'o@example','recipients':[]}]",
		0 },
	{ "another smtpd's refusal is another transaction's", true,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x",
		"reject t=10.5 pid=8 ip=192.0.2.1 stage=RCPT code=554 dsn=5.7.1 reply=no from=s@example to=a@x\nwait 31\n",
		"[{" ACCEPTED "},{" POSTFIX "}]", 0 },
	{ "recipients that were not kept may have been accepted", true,
		"record t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x left=1", REFUSAL "to=a@x\n",
		"[{" ACCEPTED ",'recipients':[{'verdict':'reject'}],'recipients_left_out':1}]", 0 },
	{ "a probe of another sender", false, NULL,
		"queued q=Q1 t=10 from=verify@h size=3\ndelivery q=Q1 t=50 to=a@x relay=none status=deliverable\nwait 31\n"
		"queued q=Q1 t=60 from=verify@h size=3\nremoved q=Q1 t=90\nwait 31\n",
		"[]", 0 },
	{ "a probe, read from its middle on", false, NULL,
		"delivery q=Q1 t=10 to=a@x relay=none status=undeliverable\nqueued q=Q1 t=11 from=verify@h size=3\nwait 31\n",
		"[]", 0 },
	{ "through a content filter and back", false, NULL,
		CLIENT_Q1 MESSAGE_Q1
		"client q=Q2 t=11.5 pid=9 ip=127.0.0.1 orig=Q1\nmsgid q=Q2 t=11.5 msgid=m1@example\n"
		"queued q=Q2 t=11.5 from=s@example size=1300\n"
		"delivery q=Q1 t=11.6 to=a@x relay=127.0.0.1[127.0.0.1]:10024 status=sent as=Q2\nremoved q=Q1 t=11.6\n"
		"delivery q=Q2 t=11.7 to=a@x relay=local status=sent\nwait 31\n",
		"[{'queue_id':'Q1','parent':''},{'queue_id':'Q2'}]", 0 },
	{ "a stranger's 'queued as' links nothing", false, NULL,
		"client q=Q2 t=9 pid=9 ip=192.0.2.9\nqueued q=Q2 t=9 from=o@example size=1\n" CLIENT_Q1 MESSAGE_Q1
		"delivery q=Q1 t=11.6 to=a@x relay=mx[192.0.2.77]:25 status=sent as=Q2\nwait 31\n",
		"[{'queue_id':'Q2','parent':''},{'queue_id':'Q1','parent':''}]", 0 },
};

static json_t *play(struct kit *kit, const char *script, bool is_slow)
{
	kit_begin(kit);
	kit_open(kit);
	kit_run(kit, script, is_slow);
	return kit_transactions(kit);
}

/* The script with the record before its line number `at`; false: there are not so many lines. */
static bool with_record(const struct outcome_case *c, size_t at, struct mg_buf *out)
{
	struct mg_str rest = mg_str_z(c->script);

	mg_buf_reset(out);
	for (size_t line = 0; line < at; line++) {
		if (rest.n == 0)
			return false;
		mg_buf_add(out, mg_str_cut(&rest, '\n'));
		mg_buf_addc(out, '\n');
	}
	mg_buf_addf(out, "%s\n%.*s", c->record, MG_STR_ARGS(rest));
	return true;
}

static void check(const struct outcome_case *c, const char *script, bool is_slow, size_t at)
{
	struct kit kit;
	json_t *got = play(&kit, script, is_slow);
	char name[160];

	snprintf(name, sizeof name, "%s (record at %zu, %s)", c->name, at, is_slow ? "step by step" : "at once");
	kit_expect(name, got, c->expected);
	if (c->corrections >= 0 && (int)kit.corrections != c->corrections)
		fail_msg("%s: %u corrections", name, kit.corrections);
	json_decref(got);
	kit_end(&kit);
}

static void lines_and_records_meet(void **state)
{
	const struct outcome_case *c = *state;
	struct mg_buf script;

	if (!c->any_order) {
		check(c, c->script, false, 0);
		check(c, c->script, true, 0);
		return;
	}
	mg_buf_init(&script, 100000);
	for (size_t at = 0; with_record(c, at, &script); at++) {
		check(c, mg_buf_z(&script), false, at);
		check(c, mg_buf_z(&script), true, at);
	}
	mg_buf_fini(&script);
}

static void parents_are_named(void **state)
{
	struct kit kit;
	json_t *got;

	(void)state;
	got = play(&kit,
		RECORD "rcpt=a@x\n" CLIENT_Q1 MESSAGE_Q1
		       "notice q=Q1 t=12 child=Q2\nqueued q=Q2 t=12 from= size=9\nwait 31\n",
		false);
	assert_int_equal(json_array_size(got), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(got, 1), "parent")),
		json_string_value(json_object_get(json_array_get(got, 0), "id")));
	json_decref(got);
	kit_end(&kit);
}

static void corrections_tell_both_sides(void **state)
{
	struct kit kit;
	json_t *got;

	(void)state;
	got = play(&kit, REFUSAL "to=a@x\nrecord t=10 end=11 pid=7 ip=192.0.2.1 from=s@example rcpt=a@x\n", true);
	assert_int_equal(kit.was, MG_ACTION_ACCEPT);
	assert_int_equal(kit.is, MG_ACTION_REJECT);
	json_decref(got);
	kit_end(&kit);
}

enum { MANY = 10000 };

/* 10,000 recipients, each with its delivery; the record where `record_first` says. */
static void many_recipients(bool record_first)
{
	struct kit kit;
	struct mg_buf script;
	json_t *got, *recipients;
	int64_t begun_us = mg_mono_us();

	mg_buf_init(&script, 4000000);
	for (int part = 0; part < 2; part++) {
		if ((part == 0) == record_first) {
			mg_buf_addz(&script, RECORD);
			for (int i = 0; i < MANY; i++)
				mg_buf_addf(&script, "rcpt=r%d@x ", i);
			mg_buf_addc(&script, '\n');
			continue;
		}
		mg_buf_addz(&script, CLIENT_Q1 MESSAGE_Q1);
		for (int i = MANY - 1; i >= 0; i--)
			mg_buf_addf(&script, "delivery q=Q1 t=12 to=r%d@x status=%s dsn=2.0.0\n", i,
				i % 2 == 0 ? "sent" : "deferred");
	}
	assert_true(mg_buf_ok(&script));
	got = play(&kit, mg_buf_z(&script), false);
	assert_int_equal(json_array_size(got), 1);
	recipients = json_object_get(json_array_get(got, 0), "recipients");
	assert_int_equal(json_array_size(recipients), MANY);
	for (size_t i = 0; i < MANY; i++) {
		const json_t *recipient = json_array_get(recipients, i);

		assert_string_equal(
			json_string_value(json_object_get(recipient, "delivery")), i % 2 == 0 ? "sent" : "deferred");
		assert_int_equal(strtol(json_string_value(json_object_get(recipient, "address")) + 1, NULL, 10), i);
	}
	json_decref(got);
	got = kit_trace(&kit, "Q1");
	assert_in_range(json_array_size(json_object_get(got, "events")), 5, 40);
	json_decref(got);
	kit_end(&kit);
	mg_buf_fini(&script);
	assert_true(mg_mono_us() - begun_us < 60 * MG_S_US);
}

static void many_recipients_record_first(void **state)
{
	(void)state;
	many_recipients(true);
}

static void many_recipients_log_first(void **state)
{
	(void)state;
	many_recipients(false);
}

enum { KILL_LINES = 3000 };

/* The child feeds refusals from where the journal stands, until it is killed or done. */
static void feed(struct kit *kit)
{
	struct mg_log_position position;
	struct mg_log_line line;

	kit_open(kit);
	if (!mg_journal_position(kit->journal, "file:/test", &position))
		mg_str_copy(position.source, sizeof position.source, MG_STR("file:/test"));
	for (uint64_t i = position.offset; i < KILL_LINES; i++) {
		char step[160];

		snprintf(step, sizeof step,
			"reject t=%d pid=%d ip=192.0.2.1 stage=RCPT code=554 dsn=5.7.1 reply=no from=s@x to=r%d@x",
			(int)i / 100, (int)i / 100 + 1, (int)i);
		kit_line(step, &line);
		position.offset = i + 1;
		mg_journal_take_line(kit->journal, &line, &position);
	}
	kit_close(kit, 30000);
}

/* Whatever the moment of a kill -9, every line counts once. */
static void killed_writers_count_each_line_once(void **state)
{
	struct kit kit;
	json_t *got;
	size_t recipients = 0;

	(void)state;
	kit_begin(&kit);
	for (int round = 0; round < 6; round++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			feed(&kit);
			_exit(0);
		}
		poll(NULL, 0, 5 + round * 17); /* where in its work the child dies is left to chance */
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	feed(&kit);
	kit_open(&kit);
	kit_wait(100);
	assert_true(mg_journal_flush(kit.journal, 10000));
	got = kit_transactions(&kit);
	for (size_t i = 0; i < json_array_size(got); i++)
		recipients += json_array_size(json_object_get(json_array_get(got, i), "recipients"));
	assert_int_equal(json_array_size(got), KILL_LINES / 100);
	assert_int_equal(recipients, KILL_LINES);
	json_decref(got);
	kit_end(&kit);
}

static void too_many_waiting_are_shown(void **state)
{
	enum { OVER = 20500 };
	struct kit kit;
	struct mg_journal_stats stats;
	struct mg_log_position position = { .source = "file:/test" };
	struct mg_log_line line;

	(void)state;
	kit_begin(&kit);
	kit_open(&kit);
	for (int i = 0; i < OVER; i++) {
		char step[96];

		snprintf(step, sizeof step, "queued q=N%d t=%d from=s@x size=1", i, i / 1000);
		kit_line(step, &line);
		assert_true(mg_journal_take_line(kit.journal, &line, &position));
	}
	assert_true(mg_journal_flush(kit.journal, 60000));
	mg_journal_stats(kit.journal, &stats);
	assert_int_equal(stats.provisional, 20000);
	assert_int_equal(stats.lines, OVER);
	kit_end(&kit);
}

int main(void)
{
	enum { CASES = sizeof outcome_cases / sizeof outcome_cases[0] };
	struct CMUnitTest tests[CASES + 6];

	for (size_t i = 0; i < CASES; i++)
		tests[i] = (struct CMUnitTest){ outcome_cases[i].name, lines_and_records_meet, NULL, NULL,
			(void *)(uintptr_t)&outcome_cases[i] };
	tests[CASES] = (struct CMUnitTest)cmocka_unit_test(killed_writers_count_each_line_once);
	tests[CASES + 1] = (struct CMUnitTest)cmocka_unit_test(parents_are_named);
	tests[CASES + 2] = (struct CMUnitTest)cmocka_unit_test(corrections_tell_both_sides);
	tests[CASES + 3] = (struct CMUnitTest)cmocka_unit_test(many_recipients_record_first);
	tests[CASES + 4] = (struct CMUnitTest)cmocka_unit_test(many_recipients_log_first);
	tests[CASES + 5] = (struct CMUnitTest)cmocka_unit_test(too_many_waiting_are_shown);
	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
