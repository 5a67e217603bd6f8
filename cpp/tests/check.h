// The whole of our test framework: TEST(name) { CHECK(condition); }
#pragma once

#include <cstdio>
#include <vector>

struct TestCase {
    const char* name;
    void (*run)();
};

std::vector<TestCase>& test_cases();
int& failed_checks();

struct TestRegistration {
    TestRegistration(const char* name, void (*run)()) { test_cases().push_back({name, run}); }
};

#define TEST(name)                                              \
    static void name();                                         \
    static const TestRegistration name##_registration(#name, name); \
    static void name()

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            ++failed_checks();                                                              \
            std::printf("%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
        }                                                                                   \
    } while (false)
