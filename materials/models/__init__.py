from materials.models.content import Attachment, Category, Course, CourseSearch, Lesson, SearchTerm
from materials.models.learning import CompletionCheck, Enrollment, LessonAccess, LessonCompletion
from materials.models.social import CourseUpdate, Review, Subscription

__all__ = [
    "Attachment",
    "Category",
    "CompletionCheck",
    "Course",
    "CourseSearch",
    "CourseUpdate",
    "Enrollment",
    "Lesson",
    "LessonAccess",
    "LessonCompletion",
    "Review",
    "SearchTerm",
    "Subscription",
]
