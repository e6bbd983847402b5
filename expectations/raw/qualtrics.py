"""What Qualtrics must send us, whatever we do with it afterwards."""

from kefu.expectations.rules import (
    WARNING,
    answers_on_scale,
    in_our_time,
    kept,
    key,
    known,
    nothing,
    present,
    resolves,
    rows,
    scale_names,
)  # fmt: skip

METRICS = ["csat", "nps", "ces", "fcr", "other"]

# Responses can be deleted in Qualtrics, and the trailing window is read anew: a few go. A tenth is a lost load.
MERGED = 0.9
LISTED = 0.5
# A question that was removed keeps its answers; an answer may be of a survey's older version.
MOSTLY = 0.98

SUITES = {
    "surveys": [
        key("Every survey has an id, and no id comes twice", "survey_id"),
        present("Every survey has a name", "name"),
        kept("Surveys do not vanish all at once", LISTED),
    ],
    "questions": [
        key("A survey asks a question once", "survey_id", "question_id"),
        resolves("A question belongs to a survey we have", "survey_id", "surveys", "survey_id"),
        known("A question measures something we know", "metric", METRICS),
        known("A question is answered on a scale we know", "scale", scale_names()),
        rows(
            "A question about satisfaction or recommendation has a scale",
            "coalesce(metric, 'other') = 'other' or scale is not null",
            "metric",
            "scale",
        ),
        kept("Questions do not vanish all at once", LISTED),
    ],
    "responses": [
        key("Every response has an id, and no id comes twice", "survey_id", "response_id"),
        resolves("A response is to a survey we have", "survey_id", "surveys", "survey_id"),
        present("Every response says when it was recorded", "recorded_at"),
        in_our_time("Responses were recorded in our time, and not in the future", "recorded_at"),
        rows("No response ends before it starts", "ended_at >= started_at", "started_at", "ended_at"),
        rows("A response is between not begun and complete", "progress between 0 and 100", "progress"),
        rows("A response takes no negative time", "duration_seconds >= 0", "duration_seconds"),
        kept("No load loses responses", MERGED),
    ],
    "answers": [
        key("A question is answered once in a response", "survey_id", "response_id", "question_id"),
        nothing(
            "An answer belongs to a response we have",
            "select {key} from {table} as these where not exists (select 1 from responses as those"
            " where those.survey_id = these.survey_id and those.response_id = these.response_id)",
        ),
        # Choices recoded in the survey (11 to 15 for 1 to 5, say) fall off their scale, and satisfaction with them.
        nothing(
            "An answer lies on the scale of its question",
            "select these.survey_id, these.response_id, these.question_id, value, scale from {table} as these"
            " join questions using (survey_id, question_id)"
            " where metric in ('csat', 'nps', 'ces', 'fcr') and scale is not null and coalesce(value, '') <> ''"
            " and (scale, case when value ~ '^-?[0-9]+([.][0-9]+)?$' then cast(value as numeric) end)"
            f" not in (select scale, cast(answer as numeric) from {answers_on_scale()} as scales (scale, answer))"
            " is not false",
            mostly=MOSTLY,
        ),
        kept("No load loses answers", MERGED),
    ],
    "invitations": [
        key("Every invitation goes to one person once", "distribution_id", "contact_id"),
        present("Every invitation has a status", "status"),
        resolves("An invitation is to a survey we have", "survey_id", "surveys", "survey_id"),
        in_our_time("Invitations were sent in our time, and not in the future", "sent_at"),
        # A response may be recorded after the invitations were read: it comes with the next load.
        resolves(
            "An answered invitation leads to a response we have",
            "response_id",
            "responses",
            "response_id",
            mostly=MOSTLY,
            severity=WARNING,
        ),
        kept("No load loses invitations", MERGED),
    ],
}
