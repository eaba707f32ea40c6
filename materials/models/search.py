"""What the search for courses looks through."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.models import Row
from materials.search import TermsField
from users.models import User


class CourseSearch(models.Model):
    """What search looks through; kept apart from the course so that a list never reads it."""

    course = models.OneToOneField("Course", models.CASCADE, primary_key=True, related_name="search_entry")
    terms = TermsField()

    class Meta:
        verbose_name = _("search entry")
        verbose_name_plural = _("search entries")

    def __str__(self) -> str:
        return str(self.course_id)


class SearchTerm(models.Model):
    """The vocabulary: each known word, and each stem, under each of its deletions (see `materials.search`)."""

    deletion = models.CharField(max_length=40)
    term = models.CharField(max_length=40)

    class Meta:
        verbose_name = _("search term")
        verbose_name_plural = _("search terms")
        constraints = [models.UniqueConstraint(fields=["deletion", "term"], name="materials_search_term")]

    def __str__(self) -> str:
        return self.term


class CourseWord(models.Model):
    """For which courses a word stands in the vocabulary. What stands there for none is taken out."""

    course = models.ForeignKey("Course", models.CASCADE, related_name="words", db_index=False)
    word = models.CharField(max_length=40, db_index=True)

    class Meta:
        verbose_name = _("word of a course")
        verbose_name_plural = _("words of courses")
        constraints = [models.UniqueConstraint(fields=["course", "word"], name="materials_course_word")]

    def __str__(self) -> str:
        return self.word


class SearchRefresh(Row):
    """Search entries that do not say yet what they should: one course's, or those of all courses of a person. The row
    is gone once that has been done; `done_to` is how far it has come."""

    course = models.ForeignKey("Course", models.CASCADE, null=True, blank=True, related_name="search_refreshes")
    owner = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="search_refreshes")
    done_to = models.UUIDField(null=True, blank=True)

    class Meta:
        verbose_name = _("search entry to write anew")
        verbose_name_plural = _("search entries to write anew")
        ordering = ("created_at", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(course__isnull=True, owner__isnull=False) | Q(course__isnull=False, owner__isnull=True),
                name="materials_search_refresh_of_one",
            )
        ]

    def __str__(self) -> str:
        return str(self.course_id or self.owner_id)
