import Simulator
import Testing
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct OperationFailureTests {
    private static let requestFaults: [StoreFault] = [
        .fails(.unavailable(retryAfter: .milliseconds(100))), .fails(.outcomeUnknown), .fails(.full), .fails(.denied),
        .fails(.cancelled), .failsAfterEffect(.outcomeUnknown),
        .failsAfterEffect(.unavailable(retryAfter: .zero)), .uploadVanishes,
        .slow(effect: .seconds(20), answer: .zero), .slow(effect: .zero, answer: .seconds(100)),
    ]

    @Test(arguments: StoreRequestKind.allCases, requestFaults)
    func fileArrivesDespiteAnyFailedRequest(kind: StoreRequestKind, fault: StoreFault) {
        for size in [90, 500] {
            let calm = Scenario.upload(bytes: size)
            // This scenario makes at most eight requests of each kind.
            for number in 1...8 {
                var once = calm
                once.faults = [PlannedFault(.request(kind, number), .store(fault))]
                guard holds(once) else { return }
            }
            var always = calm
            always.faults = [PlannedFault(.everyRequest(kind), .store(fault))]
            guard holds(always) else { return }
        }
    }

    @Test(arguments: [0, 90, 500])
    func fileArrivesDespiteAnyFailedRead(size: Int) {
        for moment in 1...40 {
            var once = Scenario.upload(bytes: size)
            once.faults = [PlannedFault(.readMoment(moment), .readFails)]
            guard holds(once) else { return }
        }
        var always = Scenario.upload(bytes: size)
        always.faults = [PlannedFault(.everyRead, .readFails)]
        _ = holds(always)
    }

    @Test(arguments: [0, 90, 500])
    func fileArrivesDespiteFailedJournal(size: Int) {
        for number in 1...15 {
            var once = Scenario.upload(bytes: size)
            once.faults = [PlannedFault(.commit(number), .journalFails)]
            guard holds(once) else { return }
        }
        var always = Scenario.upload(bytes: size)
        always.faults = [PlannedFault(.everyCommit, .journalFails)]
        _ = holds(always)
    }

    @Test(arguments: Fault.FileChange.allCases, [0, 90, 500])
    func objectIsOneVersionOfAChangingFile(change: Fault.FileChange, size: Int) {
        for moment in 1...30 {
            var scenario = Scenario.upload(bytes: size, policy: .replace)
            scenario.faults = [PlannedFault(.readMoment(moment), .fileChanges(job: 0, change))]
            guard holds(scenario) else { return }
        }
    }

    @Test(arguments: [Arrival.Ending.cut, .cutAtAgent, .cutAtGateway, .silence], [0, 50, 100])
    func fileArrivesWhereverALinkEnds(ending: Arrival.Ending, keepingPercent: Int) {
        for arrival in 1...60 {
            var scenario = Scenario.upload(bytes: 500)
            scenario.faults = [PlannedFault(.arrival(arrival), .ends(ending, keepingPercent: keepingPercent))]
            guard holds(scenario) else { return }
        }
    }
}
