"""The words of the hosted page, in Russian and English."""

RU = {
    "title": "Оплата",
    "stand_in": "Тестовый стенд",
    "notice": "Это имитация Stripe для разработки. Деньги не списываются, настоящую карту вводить не нужно.",
    "total": "Итого",
    "pay_to": "К оплате",
    "card": "Банковская карта",
    "number": "Номер карты",
    "expiry": "Срок действия",
    "cvc": "CVC",
    "expiry_hint": "ММ / ГГ",
    "pay": "Оплатить",
    "or_test": "или тестовая карта в один клик",
    "pays": "Оплата проходит",
    "declined": "Карта отклонена",
    "no_funds": "Недостаточно средств",
    "asks": "Запрос 3-D Secure",
    "back": "Вернуться в магазин",
    "free": "Получить бесплатно",
    "confirm_title": "Подтверждение 3-D Secure",
    "confirm_text": "Банк просит подтвердить платёж. Роль банка играет стенд: выберите, чем всё закончится.",
    "confirm_yes": "Подтвердить",
    "confirm_no": "Отказаться",
    "expired_title": "Срок оплаты истёк",
    "expired_text": "Эта страница больше не действует. Вернитесь в магазин и начните оплату заново.",
    "missing_title": "Страница не найдена",
    "missing_text": "Такой оплаты нет. Возможно, ссылка скопирована не полностью.",
    "done_title": "Оплачено",
    "done_text": "Спасибо, платёж принят. Эту страницу можно закрыть.",
    "bad_request": "Выберите карту из списка или введите её номер.",
    "Your card was declined.": "Карта отклонена.",
    "Your card has insufficient funds.": "На карте недостаточно средств.",
    "Your card has expired.": "Срок действия карты истёк.",
    "Your card's security code is incorrect.": "Неверный код CVC.",
    "Your card number is incorrect.": "Неверный номер карты.",
    "An error occurred while processing your card. Try again in a little bit.": (
        "При обработке карты произошла ошибка. Попробуйте ещё раз чуть позже."
    ),
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.": (
        "Не удалось подтвердить платёж. Выберите другой способ оплаты и попробуйте ещё раз."
    ),
}
EN = {
    "title": "Payment",
    "stand_in": "Test stand-in",
    "notice": "This stands in for Stripe during development. No money moves, and no real card is needed.",
    "total": "Total",
    "pay_to": "Amount due",
    "card": "Card",
    "number": "Card number",
    "expiry": "Expiry date",
    "cvc": "CVC",
    "expiry_hint": "MM / YY",
    "pay": "Pay",
    "or_test": "or one click with a test card",
    "pays": "The payment succeeds",
    "declined": "The card is declined",
    "no_funds": "Insufficient funds",
    "asks": "3-D Secure confirmation",
    "back": "Back to the shop",
    "free": "Get it for free",
    "confirm_title": "3-D Secure confirmation",
    "confirm_text": "The bank asks to confirm this payment. The stand-in plays the bank: choose how it ends.",
    "confirm_yes": "Confirm",
    "confirm_no": "Refuse",
    "expired_title": "This payment page has expired",
    "expired_text": "It can no longer be used. Go back to the shop and start the payment again.",
    "missing_title": "Page not found",
    "missing_text": "There is no such payment. Perhaps the link was not copied whole.",
    "done_title": "Paid",
    "done_text": "Thank you, the payment was received. You can close this page.",
    "bad_request": "Choose a card from the list, or enter its number.",
}
TEXTS = {"ru": RU, "en": EN}


def choose(locale: str | None, accept_language: str) -> str:
    """`ru` or `en`: by the session's locale, else by the browser's order, else Russian."""
    wanted: list[tuple[float, str]] = [(2.0, locale or "")]
    for part in accept_language.split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((float(weight or 1), name))
        except ValueError:
            continue
    for quality, name in sorted(wanted, key=lambda one: -one[0]):
        language = name[:2].lower()
        if quality > 0 and language in TEXTS:
            return language
    return "ru"
