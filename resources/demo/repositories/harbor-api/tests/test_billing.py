import unittest

from app.billing.invoices import invoice, total
from app.webhooks import PAUSES, deliver


class Billing(unittest.TestCase):
    def test_date_is_utc(self):
        self.assertEqual(invoice(7, 100, 86_399)["date"], "1970-01-01")

    def test_total(self):
        self.assertEqual(total([invoice(1, 100, 0), invoice(2, 250, 0)]), 350)

    def test_gives_up_after_the_last_pause(self):
        slept = []
        self.assertFalse(deliver(lambda: 503, slept.append))
        self.assertEqual(tuple(slept), PAUSES)


if __name__ == "__main__":
    unittest.main()
