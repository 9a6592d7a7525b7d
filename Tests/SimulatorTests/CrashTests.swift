import Simulator
import Testing
import TransferCore
import WireProtocol

/// A crash after every single operation: every action of every process, every commit, every change of the store.
@Suite struct CrashTests {
    /// Who dies, and what becomes of what was under way.
    enum Victim: String, CaseIterable {
        case agent, agentAfterItsCommit, agentUnnoticed, agentWhoseBytesArrive, gateway, both, bothAfterTheCommit

        func fault(downMilliseconds: Int) -> Fault {
            switch self {
            case .agent: .agentDies(0, .init(downMilliseconds: downMilliseconds))
            case .agentAfterItsCommit: .agentDies(0, .init(landsCommit: true, downMilliseconds: downMilliseconds))
            case .agentUnnoticed: .agentDies(0, .init(leavesGateway: true, downMilliseconds: downMilliseconds))
            case .agentWhoseBytesArrive:
                .agentDies(0, .init(leavesGateway: true, landsBytes: true, downMilliseconds: downMilliseconds))
            case .gateway: .gatewayDies(0, downMilliseconds: downMilliseconds)
            case .both: .bothDie(agent: 0, gateway: 0, .init(downMilliseconds: downMilliseconds))
            case .bothAfterTheCommit:
                .bothDie(agent: 0, gateway: 0, .init(landsCommit: true, downMilliseconds: downMilliseconds))
            }
        }
    }

    private func operations(of scenario: Scenario) -> Int {
        let calm = Simulation(scenario)
        calm.run()
        #expect(calm.violations.isEmpty)
        return calm.operationsUntilEnd
    }

    @Test(arguments: Victim.allCases, [0, 90, 500])
    func theFileArrivesThoughProcessesDieAfterAnyOperation(victim: Victim, size: Int) {
        let calm = Scenario.upload(bytes: size)
        let count = operations(of: calm)
        #expect(count > 20)
        for operation in 1...count {
            var scenario = calm
            scenario.faults = [PlannedFault(.operation(operation), victim.fault(downMilliseconds: 50))]
            guard holds(scenario) else { return }
        }
    }

    /// The second crash falls on the way back from the first.
    @Test(arguments: Victim.allCases, [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144])
    func theFileArrivesThoughProcessesDieAgainWhileTheyRecover(victim: Victim, later: Int) {
        let calm = Scenario.upload(bytes: 500)
        for operation in 1...operations(of: calm) {
            var scenario = calm
            scenario.faults = [
                PlannedFault(.operation(operation), victim.fault(downMilliseconds: 20)),
                PlannedFault(.operation(operation + later), victim.fault(downMilliseconds: 20)),
            ]
            guard holds(scenario) else { return }
        }
    }
}

extension Scenario {
    /// One file on its way through one of two gateways, with nothing going wrong; five parts for 500 bytes.
    static func upload(bytes count: Int, policy: ExistingKeyPolicy = .verify) -> Scenario {
        var scenario = Scenario(seed: 5)
        scenario.gatewayCount = 2
        scenario.agentLimits.concurrency = 2
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 3) }
        scenario.jobs = [Job(agent: 0, key: "file", bytes: bytes, policy: policy)]
        return scenario
    }
}

/// Runs a scenario and records what is wrong with it.
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
