"""What an Asterisk queue log must hold, whatever we do with it afterwards."""

from kefu.expectations.rules import WARNING, in_our_time, kept, key, known, nothing, present, rows

EVENTS = [
    "ABANDON", "ADDMEMBER", "AGENTCALLBACKLOGIN", "AGENTCALLBACKLOGOFF", "AGENTDUMP", "AGENTLOGIN", "AGENTLOGOFF",
    "ATTENDEDTRANSFER", "BLINDTRANSFER", "COMPLETEAGENT", "COMPLETECALLER", "CONFIGRELOAD", "CONNECT", "DID",
    "ENTERQUEUE", "EXITEMPTY", "EXITWITHKEY", "EXITWITHTIMEOUT", "PAUSE", "PAUSEALL", "PENALTY", "QUEUESTART",
    "REMOVEMEMBER", "RINGCANCELED", "RINGNOANSWER", "SYSCOMPAT", "TRANSFER", "UNPAUSE", "UNPAUSEALL",
]  # fmt: skip

# Calls under way where the first log file begins have lost their start; a crash of the exchange loses an end.
# One line in a hundred allows for both in a small log; more means that a rotated file is missing.
MOSTLY = 0.99
# A log only grows. A tenth less is a fresh start with fewer files, or a lost load.
GROWS = 0.9
# What the settings say; somebody may well tidy them up.
LISTED = 0.5

SUITES = {
    "queue_log": [
        key("Every line of the log is here once", "file_id", "byte_offset"),
        present("Every line says when and what", "occurred_at", "event"),
        in_our_time("Lines were written in our time, and not in the future", "occurred_at"),
        # Sites add words of their own with the application QueueLog(): worth a look, no mistake.
        known("The event is one that Asterisk writes", "event", EVENTS, severity=WARNING),
        rows(
            "What happens to a call names the call and the queue",
            "event not in ('ENTERQUEUE', 'CONNECT', 'COMPLETEAGENT', 'COMPLETECALLER', 'ABANDON', 'EXITWITHTIMEOUT',"
            " 'EXITWITHKEY', 'EXITEMPTY', 'RINGNOANSWER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER')"
            " or (callid is not null and callid <> 'NONE' and queue is not null and queue <> 'NONE')",
            "event",
            "callid",
            "queue",
        ),
        rows(
            "An answered call says how long it waited, in whole seconds",
            "event <> 'CONNECT' or coalesce(data1, '') ~ '^[0-9]+$'",
            "callid",
            "event",
            "data1",
        ),
        rows(
            "A finished call says how long it waited and talked, in whole seconds",
            "event not in ('COMPLETEAGENT', 'COMPLETECALLER')"
            " or (coalesce(data1, '') ~ '^[0-9]+$' and coalesce(data2, '') ~ '^[0-9]+$')",
            "callid",
            "event",
            "data1",
            "data2",
        ),
        rows(
            "An abandoned call says how long it waited, in whole seconds",
            "event <> 'ABANDON' or coalesce(data3, '') ~ '^[0-9]+$'",
            "callid",
            "event",
            "data3",
        ),
        nothing(
            "A call that is finished was answered before",
            "select {key}, callid, event from {table} as these where event in ('COMPLETEAGENT', 'COMPLETECALLER')"
            " and not exists (select 1 from {table} as those where those.event = 'CONNECT'"
            " and those.callid = these.callid and those.queue = these.queue)",
            mostly=MOSTLY,
        ),
        nothing(
            "A call that leaves a queue entered it before",
            "select callid, queue, count(*) filter (where event <> 'ENTERQUEUE') as times_left,"
            " count(*) filter (where event = 'ENTERQUEUE') as times_entered from {table}"
            " where event in ('ENTERQUEUE', 'CONNECT', 'ABANDON', 'EXITWITHTIMEOUT', 'EXITWITHKEY', 'EXITEMPTY')"
            " group by callid, queue having count(*) > 2 * count(*) filter (where event = 'ENTERQUEUE')",
            finds="calls",
            mostly=MOSTLY,
        ),
        # The exchange's clock was set back by hand; waits across that moment are wrong. Corrections by the network
        # time service are smaller.
        nothing(
            "Within a file time does not run backwards by more than a minute",
            "select * from (select {key}, occurred_at,"
            " lag(occurred_at) over (partition by file_id order by byte_offset) as line_before_at"
            " from {table}) as lines where occurred_at < line_before_at - interval '1 minute'",
            severity=WARNING,
        ),
        kept("No load loses lines", GROWS),
    ],
    "pause_reasons": [
        key("A reason of a pause has one meaning", "reason"),
        present("A reason of a pause has a meaning", "state"),
        kept("Reasons of a pause do not vanish all at once", LISTED),
    ],
}
