"""FastAPI as its tutorial has it: SQLAlchemy's async ORM, eager loading, pydantic models for the answer."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship, selectinload

from bench.peers.locks import course_lock, lesson_locks

PAGE_SIZE = 20


async def connect() -> asyncpg.Connection:
    return await asyncpg.connect(os.environ["DATABASE_URL"])


engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, pool_size=8)
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users_user"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str | None]
    first_name: Mapped[str]
    avatar: Mapped[str]
    role: Mapped[str]
    date_joined: Mapped[datetime]
    is_active: Mapped[bool]
    token_version: Mapped[int]


class Category(Base):
    __tablename__ = "materials_category"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    title: Mapped[str]


class Lesson(Base):
    __tablename__ = "materials_lesson"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    course_id: Mapped[UUID] = mapped_column(ForeignKey("materials_course.id"))
    title: Mapped[str]
    order: Mapped[int]
    price: Mapped[Decimal]
    is_preview: Mapped[bool]
    duration_seconds: Mapped[int]


class Course(Base):
    __tablename__ = "materials_course"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users_user.id"))
    category_id: Mapped[UUID | None] = mapped_column(ForeignKey("materials_category.id"))
    title: Mapped[str]
    description: Mapped[str]
    preview: Mapped[str]
    level: Mapped[str]
    language: Mapped[str]
    price: Mapped[Decimal]
    currency: Mapped[str]
    status: Mapped[str]
    certificate_enabled: Mapped[bool]
    sequential: Mapped[bool]
    access_days: Mapped[int | None]
    published_at: Mapped[datetime | None]
    lesson_count: Mapped[int]
    rating_average: Mapped[Decimal]
    rating_count: Mapped[int]
    enrollment_count: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    owner: Mapped[User] = relationship()
    category: Mapped[Category | None] = relationship()
    lessons: Mapped[list[Lesson]] = relationship(order_by=(Lesson.order, Lesson.id))


class Enrollment(Base):
    __tablename__ = "materials_enrollment"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    course_id: Mapped[UUID]
    status: Mapped[str]
    expires_at: Mapped[datetime | None]


class Subscription(Base):
    __tablename__ = "materials_subscription"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    course_id: Mapped[UUID]


class LessonAccess(Base):
    __tablename__ = "materials_lessonaccess"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    lesson_id: Mapped[UUID]


class LessonCompletion(Base):
    __tablename__ = "materials_lessoncompletion"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    enrollment_id: Mapped[UUID]
    lesson_id: Mapped[UUID]
    completed_at: Mapped[datetime | None]


class OwnerOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    username: str | None
    first_name: str
    avatar: str | None
    role: str
    date_joined: datetime


class CategoryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    slug: str
    title: str


class LessonOut(BaseModel):
    id: UUID
    title: str
    order: int
    price: Decimal
    is_preview: bool
    duration_seconds: int
    is_locked: bool
    lock_reason: str | None
    body: str | None = None
    video_url: str | None = None
    video: str | None = None
    attachments: list[str] | None = None


class CourseOut(BaseModel):
    id: UUID
    title: str
    description: str
    preview: str | None
    owner: OwnerOut
    category: CategoryOut | None
    level: str
    language: str
    price: Decimal
    currency: str
    status: str
    certificate_enabled: bool
    sequential: bool
    access_days: int | None
    published_at: datetime | None
    lesson_count: int
    lessons: list[LessonOut]
    rating_average: Decimal
    rating_count: int
    enrollment_count: int
    is_subscribed: bool
    is_enrolled: bool
    created_at: datetime
    updated_at: datetime


class PageOut(BaseModel):
    count: int
    next: str | None
    previous: str | None
    results: list[CourseOut]


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def get_user(
    session: Session, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> User:
    try:
        claims = jwt.decode(credentials.credentials, os.environ["SECRET_KEY"], algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401) from None
    user = await session.get(User, UUID(claims["user_id"]))
    if claims["token_type"] != "access" or user is None or not user.is_active:
        raise HTTPException(401)
    if user.token_version != claims.get("version"):
        raise HTTPException(401)
    return user


app = FastAPI()


@app.get("/api/courses/")
async def courses(
    request: Request, session: Session, user: Annotated[User, Depends(get_user)], page: int = 1
) -> PageOut:
    visible = or_(Course.status == "published", Course.owner_id == user.id)
    count = await session.scalar(select(func.count()).select_from(Course).where(visible)) or 0
    found = await session.execute(
        select(Course, Subscription.id, Enrollment)
        .outerjoin(Subscription, and_(Subscription.course_id == Course.id, Subscription.user_id == user.id))
        .outerjoin(Enrollment, and_(Enrollment.course_id == Course.id, Enrollment.user_id == user.id))
        .where(visible)
        .options(joinedload(Course.owner), joinedload(Course.category), selectinload(Course.lessons))
        .order_by(Course.created_at.desc(), Course.id.desc())
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    rows = found.all()
    lesson_ids = [lesson.id for course, _, _ in rows for lesson in course.lessons]
    bought = await session.scalars(
        select(LessonAccess.lesson_id).where(LessonAccess.user_id == user.id, LessonAccess.lesson_id.in_(lesson_ids))
    )
    completed = await session.scalars(
        select(LessonCompletion.lesson_id)
        .join(Enrollment, Enrollment.id == LessonCompletion.enrollment_id)
        .where(
            Enrollment.user_id == user.id,
            LessonCompletion.lesson_id.in_(lesson_ids),
            LessonCompletion.completed_at.is_not(None),
        )
    )
    facts = (set(bought), set(completed))
    return PageOut(
        count=count,
        next=str(request.url.include_query_params(page=page + 1)) if page * PAGE_SIZE < count else None,
        previous=str(request.url.include_query_params(page=page - 1)) if page > 1 else None,
        results=[
            card(course, subscription is not None, enrollment, user, facts) for course, subscription, enrollment in rows
        ],
    )


def card(
    course: Course, is_subscribed: bool, enrollment: Enrollment | None, user: User, facts: tuple[set[UUID], set[UUID]]
) -> CourseOut:
    status, expires_at = (enrollment.status, enrollment.expires_at) if enrollment else (None, None)
    reason = course_lock(course.price, status, expires_at)
    bought, completed = facts
    is_own = course.owner_id == user.id
    lessons = [(one.is_preview or is_own, one.id in bought, one.id in completed) for one in course.lessons]
    locks = lesson_locks(reason, course.sequential, lessons)
    values: dict[str, Any] = {name: getattr(course, name) for name in CourseOut.model_fields if hasattr(course, name)}
    values |= {
        "preview": course.preview or None,
        "owner": OwnerOut.model_validate(course.owner),
        "category": CategoryOut.model_validate(course.category) if course.category else None,
        "is_subscribed": is_subscribed,
        "is_enrolled": status in {"active", "completed"} and reason != "access_expired",
        "lessons": [
            LessonOut(
                id=lesson.id,
                title=lesson.title,
                order=lesson.order,
                price=lesson.price,
                is_preview=lesson.is_preview,
                duration_seconds=lesson.duration_seconds,
                is_locked=lock is not None,
                lock_reason=lock,
            )
            for lesson, lock in zip(course.lessons, locks, strict=True)
        ],
    }
    values["owner"].avatar = course.owner.avatar or None
    return CourseOut(**values)
