"""A little of everything from every vendor, and all of it in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kefu import load
from kefu import warehouse as database
from kefu.settings import Settings, SourceSettings

GOOD = """
insert into raw_zendesk.tickets (id, created_at, updated_at, generated_timestamp, status, priority, type) values
    (1, '2026-03-01', '2026-03-02', 1772409600, 'open', 'high', null),
    (2, '2026-03-02', '2026-03-02', 1772409600, 'hold', null, 'question'),
    (3, '2026-03-02', '2026-03-09', 1773014400, 'deleted', 'normal', 'task');
insert into raw_zendesk.ticket_events
    (event_id, child_number, field, ticket_id, created_at, event_type, value, is_public) values
    (10, 0, 'created', 1, '2026-03-01', 'Create', null, null),
    (10, 0, 'status', 1, '2026-03-01', 'Create', 'new', null),
    (11, 0, 'comment', 1, '2026-03-02', 'Comment', null, true),
    (12, 0, 'created', 2, '2026-03-02', 'Create', null, null);
insert into raw_zendesk.users (id, name, email, role, created_at) values
    (7, 'Li Wei', 'li.wei@example.com', 'agent', '2025-01-01'), (8, 'Ann', 'ann@example.com', 'end-user', '2025-01-01');
insert into raw_zendesk.groups (id, name) values (5, 'Returns');
insert into raw_zendesk.satisfaction_ratings (id, ticket_id, score, created_at, updated_at)
    values (20, 1, 'good', '2026-03-03', '2026-03-03');
insert into raw_asterisk.queue_log (file_id, byte_offset, occurred_at, callid, queue, agent, event, data1, data2, data3)
values
    ('f', 0, '2026-03-01 10:00:00Z', 'NONE', 'NONE', 'NONE', 'QUEUESTART', null, null, null),
    ('f', 40, '2026-03-01 10:00:01Z', '1.1', 'returns', 'NONE', 'ENTERQUEUE', null, '02012345678', '1'),
    ('f', 80, '2026-03-01 10:00:09Z', '1.1', 'returns', 'Bob', 'CONNECT', '8', '1.2', '3'),
    ('f', 120, '2026-03-01 10:05:00Z', '1.1', 'returns', 'Bob', 'COMPLETECALLER', '8', '291', '1'),
    ('f', 160, '2026-03-01 10:06:00Z', '1.3', 'returns', 'NONE', 'ENTERQUEUE', null, '02012345679', '1'),
    ('f', 200, '2026-03-01 10:06:30Z', '1.3', 'returns', 'NONE', 'ABANDON', '1', '1', '30');
insert into raw_qualtrics.surveys (survey_id, name) values ('SV_1', 'After contact');
insert into raw_qualtrics.questions (survey_id, question_id, metric, scale) values
    ('SV_1', 'QID1', 'csat', 'five_point'), ('SV_1', 'QID2', 'other', null);
insert into raw_qualtrics.responses
    (survey_id, response_id, started_at, ended_at, recorded_at, progress, duration_seconds) values
    ('SV_1', 'R_1', '2026-03-04 10:00Z', '2026-03-04 10:02Z', '2026-03-04 10:02Z', 100, 120);
insert into raw_qualtrics.answers (survey_id, response_id, question_id, value) values
    ('SV_1', 'R_1', 'QID1', '5'), ('SV_1', 'R_1', 'QID2', 'All well, call me: 02012345678');
insert into raw_qualtrics.invitations (distribution_id, contact_id, survey_id, status, sent_at, response_id)
    values ('D_1', 'C_1', 'SV_1', 'SurveyFinished', '2026-03-03', 'R_1'),
    ('D_1', 'C_2', 'SV_1', 'HardBounce', '2026-03-03', null);
"""


@pytest.fixture(scope="session")
def land_well() -> Callable[[Settings], None]:
    """Land the rows above."""

    def land(settings: Settings) -> None:
        load.prepare_raw(settings)
        with database.connect(settings, "loader") as connection:
            connection.execute(GOOD)

    return land


@pytest.fixture(scope="session")
def sources() -> dict[str, SourceSettings]:
    """One source of every kind."""
    kinds = {"zendesk": "zendesk", "asterisk": "asterisk", "qualtrics": "qualtrics", "bank": "files"}
    return {name: SourceSettings(name=name, kind=kind) for name, kind in kinds.items()}


@pytest.fixture(scope="module")
def landed(
    new_warehouse: Callable[..., Settings],
    sources: dict[str, SourceSettings],
    land_well: Callable[[Settings], None],
) -> Settings:
    """A warehouse into which every vendor's data landed well; tests put back what they break."""
    settings = new_warehouse(sources=sources)
    land_well(settings)
    return settings
