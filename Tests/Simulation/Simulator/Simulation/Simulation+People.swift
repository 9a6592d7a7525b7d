import TransferCommon
import TransferCore
import TransferCoreSupport

// Starts and restarts agents, in the role of a user or supervisor who wants every file to be stored.

extension Simulation {
    /// Plans the start of an agent's process. At that time the process starts if none is running and there is work to
    /// do.
    func planStart(of agent: Int, after delay: Duration) {
        let moment = schedule.now + delay
        if let planned = people[agent].startsAt, planned <= moment { return }
        people[agent].startsAt = moment
        schedule.at(moment) { [unowned self] in
            guard self.people[agent].startsAt == moment else { return }
            self.people[agent].startsAt = nil
            self.start(agent)
        }
    }

    private func start(_ agent: Int) {
        guard !isResting, agents[agent].isDead else { return }
        var requests: [UploadRequest] = []
        for number in jobs.indices where jobs[number].agent == agent && !jobs[number].isDone {
            if let request = request(number) { requests.append(request) }
        }
        guard !requests.isEmpty else {
            if jobs.contains(where: { $0.agent == agent && !$0.isDone }) { planStart(of: agent, after: .seconds(5)) }
            return
        }
        disturbances[agent] += 1
        people[agent].submitted = Set(requests.map(\.id))
        note(11, UInt64(agent), UInt64(requests.count), "agent \(agent) starts with \(requests.map(\.id.value))")
        agents[agent].start(requests)
    }

    private func request(_ number: Int) -> UploadRequest? {
        let state = jobs[number]
        guard !state.file.isMissing || state.isWantedDropped else { return nil }
        let journal = journals[state.agent]
        if journal.isFinished(state.upload) { journal.reopen(state.upload) }
        journal.setPolicy(of: state.upload, state.policy)
        jobs[number].submittedPolicy = state.policy
        jobs[number].submittedVersion = state.file.versions.count - 1
        jobs[number].submittedAt = schedule.now
        jobs[number].sizeMost = max(state.sizeMost, state.file.bytes.count)
        var purpose = UploadRequest.Purpose.push
        if journal.rows[state.upload]?.saved != nil, dice.people.percent(15), !state.isStream { purpose = .resume }
        if state.isWantedDropped { purpose = .abort }
        var request = journal.request(for: state.upload, stamp: state.file.stamp, purpose: purpose)
        request?.isStream = state.isStream
        request?.wantsReceipt = scenario.jobs[number].wantsReceipt
        // An upload that is resumed keeps the policy with which it began.
        if purpose == .resume, let saved = request?.saved {
            request?.policy = saved.policy
            jobs[number].submittedPolicy = saved.policy
        }
        if scenario.canary == .sendsStoredPartsAgain { request?.saved?.parts = [] }
        return request
    }

    /// Checks the outcome that a process reports for an upload, and ends the process if it has nothing more to do.
    func uploadEnded(_ upload: UploadID, _ outcome: UploadOutcome, agent: Int) {
        let number = job(upload)
        people[agent].submitted.remove(upload)
        jobs[number].lastOutcome = brief(outcome)
        switch outcome {
        case .stored:
            checkReport(of: number)
            jobs[number].isDone = true
            people[agent].failures = 0
        case .dropped:
            let isKnown = jobs[number].isWantedDropped || jobs[number].isAbandoned
            if !isKnown, journals[agent].rows[upload]?.isDropping != true {
                violation("job \(number) was dropped without a request")
            }
            jobs[number].isDone = true
        case .failed(let failure):
            let isDropping = journals[agent].rows[upload]?.isDropping == true
            jobs[number].isAbandoned = jobs[number].isStream && isDropping
            failed(number, failure)
        }
        guard people[agent].submitted.isEmpty else { return }
        schedule.after(.milliseconds(1)) { [unowned self] in
            guard !self.agents[agent].isDead, self.people[agent].submitted.isEmpty else { return }
            self.agents[agent].exit()
            self.goOn(agent)
        }
    }

    private func goOn(_ agent: Int) {
        guard jobs.contains(where: { $0.agent == agent && !$0.isDone }) else { return }
        people[agent].failures += 1
        let ceiling = 500 << min(people[agent].failures, 7)
        planStart(of: agent, after: .milliseconds(ceiling / 2 + dice.people.number(0...ceiling / 2)))
    }

    private func failed(_ number: Int, _ failure: UploadFailure) {
        switch failure.kind {
        case .keyTaken:
            checkRefusal(of: number, failure)
            jobs[number].isDone = true
        case .partSizeUnsupported where scenario.jobs[number].partBytes != nil,
            .sizeUnsupported where jobs[number].isStream:
            jobs[number].isDone = true  // The chosen part size or the stream needs too many parts.
        case .fenced:
            if !scenario.hasCopies { violation("job \(number): fenced, and there is no copy of the agent") }
        case .notAuthorised where (faultCounts["devices revoked"] ?? 0) > 0:
            break
        // A failure of this kind with another message is no stall: a gateway has refused, for example, a token whose
        // key it does not have.
        case .unreachable
        where failure == .noGateway && jobs[number].isStream && isWellConnected(jobs[number].agent):
            violation("job \(number): a stream has stalled, and its agent was connected all the time")
        case .unreadable:
            // The read may have failed long ago: the agent drops the session before it reports the failure, and that
            // may take until all faults have ended. So `readHasFailed` is kept until this report.
            if !jobs[number].readHasFailed { violation("job \(number): unreadable, and no read has failed") }
            jobs[number].readHasFailed = false
        case .changed, .wrongFile, .missing, .unreachable, .storeUnavailable, .storeFull, .busy, .stopped,
            .journalFull, .storeRefuses, .sessionLost, .superseded, .outcomeUnknown, .gatewayFailed:
            if isHealed, failure.kind == .journalFull {
                violation("job \(number): \(failure.kind), and nothing goes wrong any more")
            }
        case .gatewayAtWork:
            // Every simulated call to a store ends long before an agent reports that a gateway owes it an answer.
            violation("job \(number): a gateway owes an answer for ever")
        case .stillWritten, .tooManyOpenFiles, .incomplete:
            violation("job \(number): \(failure.kind), which the machine does not say of a file")
        case .bucketMissing, .contentRefused, .keyInvalid, .keyUnsupported, .sizeUnsupported, .partSizeUnsupported,
            .metadataInvalid, .versionUnsupported, .notAuthorised, .gatewayUntrusted, .protocolViolation:
            violation("job \(number) failed: \(failure.kind) \(failure.message)")
        }
    }

    /// Whether an agent that gives up for lack of progress was connected, and its gateways answered, for as long as
    /// there was no progress.
    private func isWellConnected(_ agent: Int) -> Bool {
        agents[agent].isWellConnected(for: scenario.agentLimits.retryFor)
    }

    // MARK: What users do at an inconvenient moment

    /// Pushes a file again, perhaps after a change, as its user would.
    func pushAgain(_ number: Int, after change: Fault.FileChange?) {
        let agent = jobs[number].agent
        people[agent].plannedPushes -= 1
        guard !isResting else { return }
        if let change { self.change(number, change) }
        guard jobs[number].isDone else { return }
        jobs[number].isDone = false
        jobs[number].isWantedDropped = false
        jobs[number].isAbandoned = false
        if agents[agent].isDead { planStart(of: agent, after: .milliseconds(1)) }
    }

    /// Drops an upload, as its user would. A process that is sending the upload drops it at once; otherwise the next
    /// process does.
    func drop(_ number: Int) {
        guard !jobs[number].isDone else { return }
        jobs[number].isWantedDropped = true
        let state = jobs[number]
        if !agents[state.agent].isDead, people[state.agent].submitted.contains(state.upload) {
            agents[state.agent].handle(.dropped(state.upload))
        }
    }

    /// What a wrong clock of a device shows: long past, long before 1970, or far in the future. Agents base no decision
    /// on the clock, but file times come from it.
    private static func clock(drawn number: Int) -> Int64 {
        let wrong: [Int64] = [.min, -62_135_596_800, -1, 0, 1 << 33, 253_402_300_800, .max]
        return number < wrong.count * 40 ? wrong[number / 40] : Int64(number)
    }

    /// Changes a file, even while a process is reading it.
    func change(_ number: Int, _ change: Fault.FileChange) {
        // The content of a stream does not change, because bytes in a pipe stay as the producer has written them.
        guard !jobs[number].isStream else { return }
        let file = jobs[number].file
        let count = file.bytes.count
        switch change {
        case .rewritten: file.rewrite(dice.disk.bytes(count))
        case .replaced: file.replace(dice.disk.bytes(count), inode: UInt64(dice.disk.number(1_000...1_000_000)))
        case .grown: file.rewrite(file.bytes + dice.disk.bytes(dice.disk.number(1...150)))
        case .shortened: file.rewrite(Array(file.bytes.prefix(count - min(count, dice.disk.number(1...150)))))
        case .emptied: file.rewrite([])
        case .rewrittenKeepingTime: file.rewriteKeepingTime(dice.disk.bytes(count))
        case .touched: file.touchModificationTime()
        case .renamed: file.touchChangeTime()
        case .clockSetBack: file.setClock(seconds: Self.clock(drawn: dice.disk.number(0...999)))
        case .vanishes:
            file.isMissing = true
            schedule.after(.milliseconds(dice.disk.moment())) { file.isMissing = false }
        }
        note(12, UInt64(number), UInt64(file.versions.count), "the file of job \(number): \(change)")
    }
}
