import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

// When faults take effect, and what they do.

extension Simulation {
    /// Schedules the faults that occur at a given time. Called once, at the beginning.
    func planFaultsByTime() {
        for planned in scenario.faults {
            guard case .at(let milliseconds) = planned.trigger else { continue }
            if let job = planned.fault.pushedJob { people[jobs[job].agent].plannedPushes += 1 }
            schedule.after(.milliseconds(milliseconds)) { [unowned self] in
                if planned.fault.pushedJob == nil, self.isHealed { return }
                self.count(planned.fault)
                self.apply(planned.fault)
            }
        }
    }

    /// The fault that applies to a request to the store; `nil` if the store handles the request as usual.
    func fault(for request: StoreRequest) -> StoreFault? {
        requestCounts[request.kind, default: 0] += 1
        let away = StoreFault.fails(.unavailable(retryAfter: .milliseconds(500)))
        if schedule.now < awayUntil { return away }
        if schedule.now < fullUntil {
            switch request.kind {
            case .storePart, .storeObject, .createUpload, .writeRecord: return .fails(.full)
            default: break
            }
        }
        let number = requestCounts[request.kind] ?? 0
        for fault in take(.request(request.kind, number)) + take(.everyRequest(request.kind)) {
            guard case .store(let storeFault) = fault else {
                apply(fault)
                continue
            }
            if storeFault == .deniesParts { monitor.partsWereDenied = true }
            return storeFault
        }
        return nil
    }

    /// Applies a fault. If the fault must not interrupt the operation that is running, it takes effect right after that
    /// operation.
    func apply(_ fault: Fault) {
        guard !isResting else { return }
        switch fault {
        case .ends, .stalls, .journalFails, .readFails, .store:
            break  // The code that asks for these faults applies them.
        case .outage(let milliseconds):
            outageUntil = max(outageUntil, schedule.now + .milliseconds(milliseconds))
            schedule.after(.zero) { [unowned self] in
                for agent in self.agents { agent.cutAll() }
                for gateway in self.gateways { gateway.cutAll() }
            }
        case .agentDies(let agent, let death):
            kill(agent, death)
        case .gatewayDies(let gateway, let downMilliseconds):
            kill(gateway: gateway, downMilliseconds: downMilliseconds)
        case .bothDie(let agent, let gateway, let death):
            kill(gateway: gateway, downMilliseconds: death.downMilliseconds)
            kill(agent, death)
        case .gatewayDrains(let number):
            schedule.after(.zero) { [unowned self] in self.drain(number) }
        case .gatewayClockJumps(let gateway, let seconds):
            gateways[gateway].clockOffsetMilliseconds = Int64(seconds) * 1_000
        case .devicesAreRevoked(let number, let milliseconds):
            schedule.after(.zero) { [unowned self] in self.reload([], at: number) }
            schedule.after(.milliseconds(milliseconds)) { [unowned self] in self.reload(self.devices, at: number) }
        case .keysRotate(let number):
            sealingKeys[number] = (sealingKeys.max() ?? 1) + 1
            kill(gateway: number, downMilliseconds: 10)
        case .journalIsLost(let agent):
            kill(agent, Fault.Death(downMilliseconds: 200))
            journals[agent].forgetSessions()
            monitor.agentDied(agent, journal: journals[agent])
            for number in jobs.indices where jobs[number].agent == agent { jobs[number].hasForgotten = true }
        case .fileChanges(let job, let change):
            self.change(job, change)
        case .storeIsAway(let milliseconds):
            awayUntil = schedule.now + .milliseconds(milliseconds)
        case .storeIsFull(let milliseconds):
            fullUntil = schedule.now + .milliseconds(milliseconds)
        case .uploadsArePurged:
            store.loseUploads()
        case .foreignObject(let job):
            putForeignObject(job)
        case .userDrops(let job):
            schedule.after(.zero) { [unowned self] in self.drop(job) }
        case .userPushesAgain(let job, let changed):
            pushAgain(job, after: changed ? .rewritten : nil)
        case .userPushesGrown(let job):
            pushAgain(job, after: .grown)
        case .userChangesPolicy(let job, let policy):
            jobs[job].policy = policy
        case .userStops(let agent):
            // A process handles a signal only after the operation that is running.
            schedule.after(.zero) { [unowned self] in
                guard !self.agents[agent].isDead else { return }
                self.agents[agent].handle(.stopped)
            }
        }
    }

    private func kill(_ agent: Int, _ death: Fault.Death) {
        guard !agents[agent].isDead else { return }
        note(13, UInt64(agent), 0, "agent \(agent) dies")
        agents[agent].kill(
            leavingGateway: death.leavesGateway, landingCommit: death.landsCommit, landingBytes: death.landsBytes,
            landingPercent: death.landsPercent)
        monitor.agentDied(agent, journal: journals[agent])
        people[agent].submitted = []
        planStart(of: agent, after: .milliseconds(death.downMilliseconds))
    }

    private func kill(gateway number: Int, downMilliseconds: Int) {
        guard !gateways[number].isDown else { return }
        note(14, UInt64(number), 0, "gateway \(number) dies")
        monitor.gatewayDied(number)
        gateways[number].kill()
        schedule.after(.milliseconds(downMilliseconds)) { [unowned self] in self.gateways[number].start() }
    }

    private func reload(_ devices: [AuthorisedDevice], at number: Int) {
        guard !gateways[number].isDown, !isHealed || !devices.isEmpty else { return }
        gateways[number].change { $0.handle(.devicesChanged(devices), now: self.schedule.now) }
    }

    private func drain(_ number: Int) {
        guard !gateways[number].isDown else { return }
        gateways[number].change { $0.handle(.drain(within: .seconds(2)), now: self.schedule.now) }
        schedule.after(.milliseconds(2_500)) { [unowned self] in
            guard self.gateways[number].machine.drainDeadline != nil else { return }
            self.kill(gateway: number, downMilliseconds: 10)
        }
    }

    private func putForeignObject(_ job: Int) {
        let key = jobs[job].key
        let bytes = dice.people.percent(50) ? dice.people.bytes(jobs[job].file.bytes.count) : dice.people.bytes(7)
        keys.foreign[key, default: []].insert(ToyDigest.sha256(bytes))
        note(16, UInt64(job), UInt64(bytes.count), "another writer puts \(bytes.count) bytes at \(key)")
        store.put(bytes, key: key, evidence: .none)
    }
}

extension Fault {
    /// The job whose file a user pushes again; `nil` if this fault is no such push.
    var pushedJob: Int? {
        switch self {
        case .userPushesAgain(let job, _), .userPushesGrown(let job): job
        default: nil
        }
    }
}
