import common.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0004_preferences_and_known_addresses'),
    ]

    operations = [
        migrations.CreateModel(
            name='PasswordResetRequest',
            fields=[
                ('id', models.UUIDField(default=common.ids.new_id, editable=False, primary_key=True, serialize=False, verbose_name='id')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('email', models.EmailField(max_length=254, verbose_name='email')),
            ],
            options={
                'verbose_name': 'request to reset a password',
                'verbose_name_plural': 'requests to reset a password',
            },
        ),
        migrations.AddField(
            model_name='user',
            name='pending_email',
            field=models.EmailField(blank=True, editable=False, max_length=254, verbose_name='new email, until it is verified'),
        ),
        migrations.AddField(
            model_name='notification',
            name='email_to',
            field=models.EmailField(blank=True, max_length=254, verbose_name="address, if not the recipient's own"),
        ),
    ]
