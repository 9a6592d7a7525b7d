package import TransferCore

/// Which processes die together after an operation, and what becomes of their unfinished writes.
package enum CrashVictim: String, CaseIterable, Sendable {
    case agent, agentAfterItsCommit, agentUnnoticed, agentWhoseBytesArrive, agentTorn, gateway, both,
        bothAfterTheCommit, bothTorn

    /// The crash as a fault for a scenario in which agent 0 is the only agent.
    package func fault(downMilliseconds: Int) -> Fault {
        switch self {
        case .agent: .agentDies(0, .init(downMilliseconds: downMilliseconds))
        case .agentAfterItsCommit: .agentDies(0, .init(landsCommit: true, downMilliseconds: downMilliseconds))
        case .agentUnnoticed: .agentDies(0, .init(leavesGateway: true, downMilliseconds: downMilliseconds))
        case .agentWhoseBytesArrive:
            .agentDies(0, .init(leavesGateway: true, landsBytes: true, downMilliseconds: downMilliseconds))
        case .agentTorn:
            .agentDies(
                0,
                .init(
                    leavesGateway: true, landsCommit: true, landsBytes: true, landsPercent: 50,
                    downMilliseconds: downMilliseconds))
        case .gateway: .gatewayDies(0, downMilliseconds: downMilliseconds)
        case .both: .bothDie(agent: 0, gateway: 0, .init(downMilliseconds: downMilliseconds))
        case .bothAfterTheCommit:
            .bothDie(agent: 0, gateway: 0, .init(landsCommit: true, downMilliseconds: downMilliseconds))
        case .bothTorn:
            .bothDie(
                agent: 0, gateway: 0, .init(landsCommit: true, landsPercent: 50, downMilliseconds: downMilliseconds))
        }
    }
}

extension Scenario {
    /// A scenario without faults, in which one upload goes through one of two gateways. A file of 500 bytes has five
    /// parts.
    package static func upload(bytes count: Int, policy: ExistingKeyPolicy = .verify) -> Scenario {
        var scenario = Scenario(seed: 5)
        scenario.gatewayCount = 2
        scenario.nature.isSticky = true
        scenario.agentLimits.concurrency = 2
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 3) }
        scenario.jobs = [Job(agent: 0, key: "file", bytes: bytes, policy: policy)]
        return scenario
    }

    /// How many operations the scenario takes if no fault occurs.
    package var calmOperations: Int {
        var calm = self
        calm.faults = []
        let simulation = Simulation(calm)
        simulation.run()
        return simulation.operationsUntilEnd
    }

    /// The scenario with a crash after this operation and, if `later` is set, a second crash `later` operations after
    /// the first.
    package func crashing(_ victim: CrashVictim, after operation: Int, againAfter later: Int? = nil) -> Scenario {
        var scenario = self
        let death = victim.fault(downMilliseconds: 20)
        scenario.faults = [PlannedFault(.operation(operation), death)]
        if let later { scenario.faults.append(PlannedFault(.operation(operation + later), death)) }
        return scenario
    }
}
