import Foundation

/// Whether tests are to run that take too long for every time: set by `make test-long`.
package let areLongTestsWanted = ProcessInfo.processInfo.environment["SLUICE_LONG_TESTS"] != nil
