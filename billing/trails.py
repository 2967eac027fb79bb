"""What the audit asks of the trail of events that each row leaves: one pass over them, whatever states there are."""

from __future__ import annotations

from billing.audit import Check

# A trail is right where "from from from" and the row's state is "to to to" after the state in which it began: from
# nowhere, or the one that nobody is told of. The few that are not are looked at event by event; by their
# index, which the planner, who cannot know how few they are, takes only when told so (LATERAL). Ids are compared before
# words, and words by their bytes: that is much faster than by the rules of a language.
SQL = """
    WITH trail AS (
        SELECT subject_type COLLATE "C" AS noun, subject_id, string_agg(from_state, ' ' ORDER BY id) AS froms,
               string_agg(to_state, ' ' ORDER BY id) AS tos
          FROM billing_event WHERE to_state <> ''
         GROUP BY subject_id, subject_type COLLATE "C"),
    subject AS (<subjects>),
    odd AS MATERIALIZED (
        SELECT coalesce(trail.noun, subject.noun) COLLATE "default" AS noun,
               coalesce(trail.subject_id, subject.id) AS id, subject.id IS NULL AS gone, subject.status, subject.unborn
          FROM subject FULL JOIN trail ON trail.subject_id = subject.id AND trail.noun = subject.noun
         WHERE (subject.id IS NULL OR trail.tos IS NULL
                OR froms || ' ' || status NOT IN (' ' || tos, unborn || ' ' || tos))
           AND (trail.tos IS NOT NULL OR status <> unborn)),
    step AS MATERIALIZED (
        SELECT odd.*, event.* FROM odd LEFT JOIN LATERAL (
               SELECT id AS event, kind, from_state, to_state, lag(to_state) OVER (ORDER BY id) AS before,
                      lead(id) OVER (ORDER BY id) IS NULL AS is_last
                 FROM billing_event told
                WHERE told.subject_type = odd.noun AND told.subject_id = odd.id AND told.to_state <> '') event ON true)
    SELECT 'event.chain' AS promise, noun, id AS subject, status, event, kind, before, from_state, to_state
      FROM step
     WHERE CASE WHEN before IS NULL THEN from_state NOT IN ('', coalesce(unborn, '')) ELSE from_state <> before END
    UNION ALL
    SELECT noun || '.state_told', noun, id, status, event, kind, before, from_state, to_state
      FROM step
     WHERE coalesce(is_last, true) AND NOT gone AND status IS DISTINCT FROM coalesce(to_state, unborn)"""

_subjects: dict[str, str] = {}


def chain() -> Check:
    """The promise that each event begins where the one before it ended."""
    return Check("event.chain", "Each event begins in the state in which the one before it ended.", _sql, joint=True)


def state_told(noun: str, table: str, unborn: str = "") -> Check:
    """The promise that each row of `table` is in the state that its last event told; `unborn` needs no event."""
    _subjects[noun] = (
        f"SELECT '{noun}' COLLATE \"C\" AS noun, id, status COLLATE \"C\" AS status, '{unborn}' AS unborn FROM {table}"  # noqa: S608  ours
    )
    return Check(f"{noun}.state_told", f"Each {noun} is in the state that its last event told.", _sql, joint=True)


def _sql() -> str:
    return SQL.replace("<subjects>", " UNION ALL ".join(_subjects.values()))
