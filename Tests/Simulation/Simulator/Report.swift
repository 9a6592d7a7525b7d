import TransferCommon
import TransferCore
import TransferCoreSupport

/// Statistics of many runs.
package struct Report: Sendable {
    package private(set) var seeds = 0
    package private(set) var virtualSeconds = 0.0
    package private(set) var faultCounts: [String: Int] = [:]
    package private(set) var steps = 0
    package private(set) var bytesOfFiles: UInt64 = 0
    package private(set) var bytesSent: UInt64 = 0
    /// The seeds that failed, each with its first violation.
    package private(set) var failures: [(seed: UInt64, violation: String)] = []

    package init() {}

    /// Adds a finished run.
    package mutating func add(_ simulation: Simulation) {
        seeds += 1
        steps += simulation.steps
        if let end = simulation.endedAt { virtualSeconds += Double(end.nanoseconds) / 1e9 - 1 }
        for (kind, count) in simulation.faultCounts { faultCounts[kind, default: 0] += count }
        for job in simulation.jobs {
            bytesOfFiles += UInt64(job.file.bytes.count)
            bytesSent += job.bytesSent
        }
        if let first = simulation.violations.first { failures.append((simulation.scenario.seed, first)) }
    }
}

/// Removes faults from a failing scenario while it still fails in the same way.
package enum Shrinker {
    /// The smallest failing scenario that was found; the scenario itself if it does not fail.
    package static func shrunk(_ scenario: Scenario) -> Scenario {
        var smallest = scenario
        let kind = failure(of: scenario)
        guard kind != nil else { return scenario }
        var chunk = max(smallest.faults.count / 2, 1)
        while true {
            var start = 0
            var hasShrunk = false
            while start < smallest.faults.count {
                var candidate = smallest
                candidate.faults.removeSubrange(start..<min(start + chunk, candidate.faults.count))
                if failure(of: candidate) == kind {
                    smallest = candidate
                    hasShrunk = true
                } else {
                    start += chunk
                }
            }
            if chunk == 1, !hasShrunk { break }
            chunk = max(chunk / 2, 1)
        }
        return withoutIdleJobs(smallest, kind)
    }

    /// Makes files empty that do not contribute to the failure, one file at a time.
    private static func withoutIdleJobs(_ scenario: Scenario, _ kind: String?) -> Scenario {
        var smallest = scenario
        for index in smallest.jobs.indices where !smallest.jobs[index].bytes.isEmpty {
            var candidate = smallest
            candidate.jobs[index].bytes = []
            if failure(of: candidate) == kind { smallest = candidate }
        }
        return smallest
    }

    /// The scenario's first violation without the numbers in its text; `nil` if it does not fail. Two failures count as
    /// the same if these texts are equal.
    private static func failure(of scenario: Scenario) -> String? {
        let simulation = Simulation(scenario)
        simulation.run()
        return simulation.violations.first?.filter { !$0.isNumber }
    }
}
