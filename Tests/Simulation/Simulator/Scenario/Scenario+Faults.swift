import TransferCommon
import TransferCore
import TransferCoreSupport

extension Scenario {
    /// Adds up to about twenty faults to a scenario whose agents, gateways and jobs are already drawn.
    mutating func drawFaults(_ dice: inout Dice) {
        let count = dice.pick([0, 1, 2, 3, 3, 5, 5, 8, 12, 20])
        for _ in 0..<count { faults.append(drawFault(&dice)) }
        let gateway = dice.number(0...gatewayCount - 1)
        if dice.percent(6) {
            faults.append(
                PlannedFault(
                    .gatewayAction(gateway, dice.number(1...80)),
                    .devicesAreRevoked(gateway, milliseconds: dice.moment())))
        }
        if dice.percent(8) {
            faults.append(PlannedFault(.gatewayAction(gateway, dice.number(1...80)), .keysRotate(gateway)))
        }
    }

    /// Draws stores in which a part takes effect after the abort of its upload, and users who drop an upload while its
    /// parts are in flight.
    mutating func drawAborts(_ dice: inout Dice) {
        nature.landsAfterAbort = dice.percent(50)
        guard dice.percent(25) else { return }
        let job = dice.number(0...jobs.count - 1)
        faults.append(PlannedFault(.at(milliseconds: dice.moment()), .userDrops(job: job)))
        if dice.percent(50) {
            faults.append(PlannedFault(.request(.abort, dice.number(1...3)), .store(.leavesPart)))
        }
        if dice.percent(70) {
            let effect = Duration.milliseconds(min(dice.moment(), 25_000))
            faults.append(
                PlannedFault(
                    .request(.storePart, dice.number(1...6)), .store(.slow(effect: effect, answer: .milliseconds(4)))))
        }
    }

    /// For some of the agents that die, lets only a percentage of their unfinished writes take effect.
    mutating func drawTearing(_ dice: inout Dice) {
        for index in faults.indices where dice.percent(40) {
            switch faults[index].fault {
            case .agentDies(let agent, var death):
                death.landsPercent = dice.number(0...99)
                faults[index].fault = .agentDies(agent, death)
            case .bothDie(let agent, let gateway, var death):
                death.landsPercent = dice.number(0...99)
                faults[index].fault = .bothDie(agent: agent, gateway: gateway, death)
            default:
                break
            }
        }
    }

    /// Makes a user drop an upload midway. The first abort at the store leaves a part behind.
    mutating func drawIncompleteAbort(_ dice: inout Dice) {
        guard dice.percent(10) else { return }
        let job = dice.number(0...jobs.count - 1)
        faults.append(PlannedFault(.operation(dice.number(20...90)), .userDrops(job: job)))
        faults.append(PlannedFault(.request(.abort, 1), .store(.leavesPart)))
    }

    /// Draws agents that end in the middle of parts and restart while the gateways still hold the bytes. An agent
    /// restarts with or without its journal, and with the same content of the file or another content of equal size.
    /// Some agents find session records whose uploads are gone.
    mutating func drawResumptions(_ dice: inout Dice) {
        guard dice.percent(40) else { return }
        for _ in 0..<dice.number(1...3) {
            let agent = dice.number(0...devices.count - 1)
            let trigger = Trigger.agentAction(agent, dice.number(8...dice.pick([40, 120])))
            // With a slow store, the gateway may have all bytes of some parts when the agent returns, although the
            // store has not confirmed these parts.
            if dice.percent(50) {
                let effect = Duration.milliseconds(dice.number(200...10_000))
                let slow = StoreFault.slow(effect: effect, answer: .milliseconds(5))
                let first = dice.number(1...3)
                for number in first...first + 2 {
                    faults.append(PlannedFault(.request(.storePart, number), .store(slow)))
                }
            }
            let own = jobs.indices.filter { jobs[$0].agent == agent }
            if dice.percent(30), !own.isEmpty {
                let change: Fault.FileChange = dice.pick([.rewrittenKeepingTime, .rewritten])
                faults.append(PlannedFault(trigger, .fileChanges(job: dice.pick(own), change)))
            }
            if dice.percent(20) { faults.append(PlannedFault(trigger, .uploadsArePurged)) }
            if dice.percent(40) {
                faults.append(PlannedFault(trigger, .journalIsLost(agent)))
            } else {
                let death = Fault.Death(
                    leavesGateway: dice.percent(20), landsCommit: dice.percent(50), landsBytes: true,
                    downMilliseconds: dice.number(1...300))
                faults.append(PlannedFault(trigger, .agentDies(agent, death)))
            }
        }
    }

    /// Draws renewals of records that fail, or that take effect late.
    mutating func drawRenewals(_ dice: inout Dice) {
        guard dice.percent(30) else { return }
        let late = StoreFault.slow(
            effect: .milliseconds(min(dice.moment(), 25_000)), answer: .milliseconds(dice.number(1...20)))
        let fault = dice.percent(60) ? late : drawRequestFault(.renewRecord, &dice)
        faults.append(PlannedFault(.request(.renewRecord, dice.number(1...3)), .store(fault)))
    }

    /// Makes all files of an agent streams of several parts, and cuts the connections while parts are being stored. So
    /// the store has parts that the agent does not know to be stored.
    mutating func drawStreams(_ dice: inout Dice) {
        guard !hasCopies, dice.percent(10) else { return }
        let agent = dice.number(0...devices.count - 1)
        for job in jobs.indices where jobs[job].agent == agent {
            jobs[job].isStream = true
            jobs[job].bytes = dice.bytes(dice.number(600...1_200))
        }
        for _ in 0..<dice.number(1...3) {
            let outage = Fault.outage(milliseconds: dice.number(10...2_000))
            faults.append(PlannedFault(.request(.storePart, dice.number(1...12)), outage))
        }
    }

    private func drawFault(_ dice: inout Dice) -> PlannedFault {
        switch dice.number(0...99) {
        case 0..<30: drawNetworkFault(&dice)
        case 30..<50: drawProcessFault(&dice)
        case 50..<64: drawDiskFault(&dice)
        case 64..<90: drawStoreFault(&dice)
        default: drawUser(&dice)
        }
    }

    private func drawNetworkFault(_ dice: inout Dice) -> PlannedFault {
        if dice.percent(8) {
            return PlannedFault(.at(milliseconds: dice.moment()), .outage(milliseconds: dice.moment()))
        }
        let trigger = Trigger.arrival(dice.number(1...dice.pick([20, 60, 200])))
        if dice.percent(25) { return PlannedFault(trigger, .stalls(milliseconds: dice.moment())) }
        let ending: Arrival.Ending = dice.pick([.cut, .cut, .cutAtAgent, .cutAtGateway, .silence])
        return PlannedFault(trigger, .ends(ending, keepingPercent: dice.number(0...100)))
    }

    private func drawDeath(_ dice: inout Dice) -> Fault.Death {
        Fault.Death(
            leavesGateway: dice.percent(50), landsCommit: dice.percent(50), landsBytes: dice.percent(50),
            downMilliseconds: dice.moment())
    }

    private func drawProcessFault(_ dice: inout Dice) -> PlannedFault {
        let agent = dice.number(0...devices.count - 1)
        let gateway = dice.number(0...gatewayCount - 1)
        let count = dice.number(1...dice.pick([20, 60, 200]))
        switch dice.number(0...9) {
        case 0...3: return PlannedFault(.agentAction(agent, count), .agentDies(agent, drawDeath(&dice)))
        case 4...6:
            return PlannedFault(
                .gatewayAction(gateway, count), .gatewayDies(gateway, downMilliseconds: dice.pick([0, dice.moment()])))
        case 7:
            return PlannedFault(
                .operation(count), .bothDie(agent: agent, gateway: gateway, drawDeath(&dice)))
        case 8: return PlannedFault(.gatewayAction(gateway, count), .gatewayDrains(gateway))
        default:
            return PlannedFault(
                .at(milliseconds: dice.moment()),
                .gatewayClockJumps(gateway, seconds: dice.number(-1_000_000...1_000_000)))
        }
    }

    private func drawDiskFault(_ dice: inout Dice) -> PlannedFault {
        let job = dice.number(0...jobs.count - 1)
        switch dice.number(0...9) {
        case 0: return PlannedFault(.commit(dice.number(1...15)), .journalFails)
        case 1, 2:
            // An agent that loses its journal also loses the process that has the journal open.
            let agent = dice.number(0...devices.count - 1)
            return PlannedFault(.agentAction(agent, dice.number(1...120)), .journalIsLost(agent))
        case 3: return PlannedFault(.readMoment(dice.number(1...40)), .readFails)
        default:
            let change = dice.pick(Fault.FileChange.allCases)
            let trigger: Trigger =
                dice.percent(70)
                ? .readMoment(dice.number(1...dice.pick([6, 40]))) : .at(milliseconds: dice.moment())
            return PlannedFault(trigger, .fileChanges(job: job, change))
        }
    }

    private func drawStoreFault(_ dice: inout Dice) -> PlannedFault {
        switch dice.number(0...19) {
        case 0: return PlannedFault(.at(milliseconds: dice.moment()), .storeIsAway(milliseconds: dice.moment()))
        case 1: return PlannedFault(.at(milliseconds: dice.moment()), .storeIsFull(milliseconds: dice.moment()))
        case 2: return PlannedFault(.at(milliseconds: dice.moment()), .uploadsArePurged)
        case 3:
            return PlannedFault(.at(milliseconds: dice.moment()), .foreignObject(job: dice.number(0...jobs.count - 1)))
        default: break
        }
        let kind = dice.pick(
            // `readObject` and `renewRecord` are excluded here. Their faults are drawn later, so that the older draws
            // of a seed stay the same.
            StoreRequestKind.allCases.filter { $0 != .readObject && $0 != .renewRecord } + [
                .complete, .complete, .storePart, .storeObject, .createUpload,
            ])
        let trigger = Trigger.request(kind, dice.number(1...dice.pick([2, 4, 12])))
        return PlannedFault(trigger, .store(drawRequestFault(kind, &dice)))
    }

    private func drawRequestFault(_ kind: StoreRequestKind, _ dice: inout Dice) -> StoreFault {
        let unavailable = StoreError.unavailable(retryAfter: .milliseconds(dice.pick([0, 500, 5_000])))
        switch dice.number(0...11) {
        case 0, 1: return .fails(unavailable)
        case 2: return .fails(.outcomeUnknown)
        case 3, 4: return .failsAfterEffect(.outcomeUnknown)
        case 5: return .failsAfterEffect(unavailable)
        case 6: return .fails(dice.pick([.full, .denied, .cancelled]))
        case 7 where kind == .listParts: return .listsNothing
        case 8 where kind == .listParts, 9 where kind == .listParts:
            return .listsWithout(mask: dice.generator.next())
        case 7 where kind == .complete: return .deniesParts
        case 8 where kind == .complete: return .completesInSteps(.milliseconds(dice.number(10...1_500)))
        case 10: return .uploadVanishes
        default:
            // Sluice does not protect against a one-part request that takes effect after the put limit, so the delay
            // stays below that limit.
            return .slow(
                effect: .milliseconds(min(dice.moment(), 25_000)), answer: .milliseconds(min(dice.moment(), 25_000)))
        }
    }

    private func drawUser(_ dice: inout Dice) -> PlannedFault {
        let job = dice.number(0...jobs.count - 1)
        switch dice.number(0...4) {
        case 0: return PlannedFault(.at(milliseconds: dice.moment()), .userDrops(job: job))
        case 1: return PlannedFault(.operation(dice.number(1...150)), .userStops(jobs[job].agent))
        default:
            return PlannedFault(
                .at(milliseconds: dice.moment()), .userPushesAgain(job: job, changed: dice.percent(70)))
        }
    }
}
