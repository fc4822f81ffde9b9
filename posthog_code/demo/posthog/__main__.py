import sys

from posthog_code.demo.posthog import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
