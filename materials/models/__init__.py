from materials.models.content import Attachment, Category, Course, Lesson
from materials.models.learning import CompletionCheck, Enrollment, LessonAccess, LessonCompletion
from materials.models.search import CourseSearch, CourseWord, SearchRefresh, SearchTerm
from materials.models.social import CourseUpdate, Review, Subscription

__all__ = [
    "Attachment",
    "Category",
    "CompletionCheck",
    "Course",
    "CourseSearch",
    "CourseUpdate",
    "CourseWord",
    "Enrollment",
    "Lesson",
    "LessonAccess",
    "LessonCompletion",
    "Review",
    "SearchRefresh",
    "SearchTerm",
    "Subscription",
]
