import Foundation

/// Whether to run tests that take too long for every run; set by `make test-long`.
package let areLongTestsWanted = ProcessInfo.processInfo.environment["SLUICE_LONG_TESTS"] != nil
