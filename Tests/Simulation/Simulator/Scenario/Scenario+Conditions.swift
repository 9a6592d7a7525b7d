import TransferCommon
import TransferCore
import TransferCoreSupport

extension Scenario {
    /// Draws which conditions the store checks, and whether other writers, conflicts and streams occur. Then draws
    /// users who push a grown file, change their mind or stop.
    mutating func drawConditions(_ dice: inout Dice) {
        switch dice.number(0...9) {
        case 0, 1: nature.conditions = .none
        case 2: nature.conditions.put = CheckedConditions.none.put
        case 3: nature.conditions.complete = CheckedConditions.none.complete
        case 4:
            nature.conditions.put.ifMatch = false
            nature.conditions.complete.ifMatch = false
        default: break
        }
        gatewayLimits.conditions = nature.conditions
        drawRaces(&dice)
        drawSlowCompletion(&dice)
        drawPeople(&dice)
        if dice.percent(20) { jobs[dice.number(0...jobs.count - 1)].isStream = true }
    }

    private mutating func drawRaces(_ dice: inout Dice) {
        if dice.percent(30) {
            for _ in 0..<dice.number(1...2) {
                let job = dice.number(0...jobs.count - 1)
                faults.append(
                    PlannedFault(.operation(dice.number(1...dice.pick([60, 150]))), .foreignObject(job: job)))
            }
        }
        if dice.percent(30) {
            let kind: StoreRequestKind = dice.pick([.complete, .complete, .storeObject])
            let gap: Duration? = dice.percent(60) ? .milliseconds(dice.number(1...2_000)) : nil
            faults.append(PlannedFault(.request(kind, dice.number(1...3)), .store(.conflicts(landsAfter: gap))))
        }
    }

    /// Draws a store that hides an upload for up to half a minute while it completes the upload. The gateway's time
    /// limit for a completion is raised accordingly.
    private mutating func drawSlowCompletion(_ dice: inout Dice) {
        guard dice.percent(25) else { return }
        gatewayLimits.completionTimeMax = .seconds(45)
        hasSlowCompletion = true
        let gap = Duration.milliseconds(dice.number(1_000...30_000))
        faults.append(PlannedFault(.request(.complete, dice.number(1...2)), .store(.completesInSteps(gap))))
        let gateway = dice.number(0...gatewayCount - 1)
        if dice.percent(60) {
            faults.append(
                PlannedFault(
                    .at(milliseconds: dice.number(500...8_000)), .gatewayDies(gateway, downMilliseconds: 10)))
        }
    }

    private mutating func drawPeople(_ dice: inout Dice) {
        let job = dice.number(0...jobs.count - 1)
        if dice.percent(25) {
            faults.append(PlannedFault(.at(milliseconds: dice.moment()), .userPushesGrown(job: job)))
        }
        if dice.percent(15) {
            let policy: ExistingKeyPolicy = dice.pick([.verify, .verify, .replace, .fail])
            faults.append(PlannedFault(.operation(dice.number(1...100)), .userChangesPolicy(job: job, policy)))
            faults.append(
                PlannedFault(
                    .operation(dice.number(1...100)), .agentDies(jobs[job].agent, .init(landsCommit: dice.percent(50))))
            )
        }
        if dice.percent(25) {
            faults.append(PlannedFault(.operation(dice.number(1...150)), .userStops(jobs[job].agent)))
        }
    }
}
