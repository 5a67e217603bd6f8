// Runs every TEST, prints "N passed, M failed" and exits with 1 if any failed.
#include "check.h"

#include <exception>

std::vector<TestCase>& test_cases() {
    static std::vector<TestCase> cases;
    return cases;
}

int& failed_checks() {
    static int count = 0;
    return count;
}

int main() {
    int passed = 0, failed = 0;
    for (const TestCase& test : test_cases()) {
        const int before = failed_checks();
        try {
            test.run();
        } catch (const std::exception& error) {
            ++failed_checks();
            std::printf("%s threw: %s\n", test.name, error.what());
        }
        const bool is_good = failed_checks() == before;
        ++(is_good ? passed : failed);
        if (!is_good) std::printf("FAILED %s\n", test.name);
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
