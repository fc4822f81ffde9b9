import unittest
from datetime import datetime

from jobs.schedule import next_run


class Schedule(unittest.TestCase):
    def test_later_today(self):
        self.assertEqual(next_run(datetime(2026, 5, 1, 1)), datetime(2026, 5, 1, 3))

    def test_tomorrow(self):
        self.assertEqual(next_run(datetime(2026, 5, 1, 4)), datetime(2026, 5, 2, 3))


if __name__ == "__main__":
    unittest.main()
