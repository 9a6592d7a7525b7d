import Simulator
import Testing

/// In each run a process crashes after one operation. The tests try every operation: every action of a process, every
/// commit, and every change of the store.
@Suite struct CrashTests {
    @Test(arguments: CrashVictim.allCases, [0, 90, 500])
    func fileSurvivesACrashAfterAnyOperation(victim: CrashVictim, size: Int) {
        let calm = Scenario.upload(bytes: size)
        let count = calm.calmOperations
        #expect(count > 20)
        for operation in 1...count {
            guard holds(calm.crashing(victim, after: operation)) else { return }
        }
    }

    /// The second crash happens during the recovery from the first. This test tries some pairs; `sluice-simulate
    /// --crashes` tries all of them.
    @Test(arguments: CrashVictim.allCases, [1, 5, 13, 34, 89])
    func fileSurvivesASecondCrash(victim: CrashVictim, later: Int) {
        let calm = Scenario.upload(bytes: 500)
        for operation in stride(from: 1 + later % 4, through: calm.calmOperations, by: 4) {
            guard holds(calm.crashing(victim, after: operation, againAfter: later)) else { return }
        }
    }
}

/// Runs a scenario and records its violations as issues.
func holds(_ scenario: Scenario, sourceLocation: SourceLocation = #_sourceLocation) -> Bool {
    let simulation = Simulation(scenario)
    simulation.run()
    guard !simulation.violations.isEmpty else { return true }
    let replayed = Simulation(scenario, keepsLines: true)
    replayed.run()
    Issue.record(
        """
        \(scenario.faults.map(\.description).joined(separator: "\n"))
        \(replayed.trace.lines.suffix(60).joined(separator: "\n"))
        """, sourceLocation: sourceLocation)
    return false
}
