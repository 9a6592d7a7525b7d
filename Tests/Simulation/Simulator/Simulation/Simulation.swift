import SeededRandom
package import TransferCommon
import TransferCore
package import TransferCoreSupport
import WireProtocol

/// A simulated run of one scenario: agents, gateways, store, network, disks and users, in one thread and in virtual
/// time. The machines are the shipped ones; everything around them is virtual. `run()` continues until everything is
/// idle; `violations` lists the broken invariants.
package final class Simulation {
    /// After this time no fault occurs any more, so every unfinished upload must finish.
    static let healsAfter = Duration.seconds(120)
    /// The last upload must end within this time after `healsAfter`.
    static let finishesWithin = Duration.seconds(3_600)
    private static let stepsMax = 600_000

    package let scenario: Scenario
    package let schedule = Schedule()
    package let store: VirtualStore
    package internal(set) var trace: Trace
    package private(set) var violations: [String] = []
    /// How often each kind of fault has occurred.
    package private(set) var faultCounts: [String: Int] = [:]
    package internal(set) var agents: [AgentHost] = []
    package internal(set) var gateways: [GatewayHost] = []
    package let journals: [VirtualJournal]
    package internal(set) var jobs: [JobState] = []
    package internal(set) var operations = 0
    package private(set) var steps = 0
    /// When the last upload ended.
    package private(set) var endedAt: Instant?
    /// How many operations (actions, commits and changes of the store) took place before `endedAt`.
    package private(set) var operationsUntilEnd = 0

    private(set) lazy var monitor = Monitor(scenario, store: store) { [unowned self] in self.violation($0) }
    var dice: (network: Dice, disk: Dice, people: Dice, identities: Dice)
    private var faultsByTrigger: [Trigger: [Fault]] = [:]
    var counts: (arrivals: Int, readMoments: Int, commits: Int) = (0, 0, 0)
    var gatewayActions: [Int]
    /// The newest sealing key of each gateway. A gateway also opens tokens that were sealed with one of the earlier
    /// keys.
    var sealingKeys: [UInt8]
    var requestCounts: [StoreRequestKind: Int] = [:]
    var isHealed = false
    var isResting = false
    var outageUntil = Instant(nanoseconds: 0)
    var awayUntil = Instant(nanoseconds: 0)
    var fullUntil = Instant(nanoseconds: 0)
    var people: [Person]
    var keys = KeyHistory()
    var receipts: ReceiptWatch
    var terms = TermsView()
    var orphansReported: Set<String> = []
    var disturbances: [Int]
    private var ticks: (at: Instant, count: Int) = (Instant(nanoseconds: 0), 0)

    package init(_ scenario: Scenario, keepsLines: Bool = false) {
        self.scenario = scenario
        trace = Trace(keepsLines: keepsLines)
        store = VirtualStore(schedule: schedule)
        store.keeping = scenario.nature.keeping
        store.keepsSession = scenario.nature.keepsSession
        store.landsAfterAbort = scenario.nature.landsAfterAbort
        store.conditions = scenario.nature.conditions
        journals = scenario.devices.map { _ in VirtualJournal() }
        people = scenario.devices.map { _ in Person() }
        disturbances = scenario.devices.map { _ in 0 }
        receipts = ReceiptWatch(dice: Dice(seed: scenario.seed ^ 0x55_55))
        gatewayActions = Array(repeating: 0, count: scenario.gatewayCount)
        sealingKeys = Array(repeating: 1, count: scenario.gatewayCount)
        dice = (
            Dice(seed: scenario.seed ^ 0x11), Dice(seed: scenario.seed ^ 0x22), Dice(seed: scenario.seed ^ 0x33),
            Dice(seed: scenario.seed ^ 0x44)
        )
        for planned in scenario.faults { faultsByTrigger[planned.trigger, default: []].append(planned.fault) }
        makeHosts()
        makeJobs()
        store.chooseFault = { [unowned self] in self.fault(for: $0) }
        store.onChange = { [unowned self] in self.storeChanged(key: $0, object: $1) }
        store.onAbortedConflict = { [unowned self] in self.checkAborted($0) }
        store.onRevivedRecord = { [unowned self] in
            self.violation("a renewal brought back the removed record of \($0.session)")
        }
    }

    var devices: [AuthorisedDevice] {
        Set(scenario.devices).sorted().map { device in
            AuthorisedDevice(
                name: "device-\(device)", fingerprint: ToyDigest.sha256([UInt8(device)]),
                prefix: scenario.prefix(ofDevice: device), limits: scenario.deviceLimits[device] ?? DeviceLimits())
        }
    }

    private func makeGateway(_ number: Int) -> Gateway {
        let key = sealingKeys[number]
        let ring = ToyCryptography(sealingKey: key, openingKeys: Set(0...key))
        var machine = Gateway(limits: scenario.gatewayLimits, cryptography: ring, software: "g")
        machine.handle(.devicesChanged(devices), now: schedule.now)
        return machine
    }

    private func makeHosts() {
        for number in 0..<scenario.gatewayCount {
            let host = GatewayHost(world: self, store: store, number: number) { [unowned self] in
                self.makeGateway(number)
            }
            scenario.canary?.install(on: host, in: self)
            if scenario.hasReceipts { installReceipts(on: host) }
            gateways.append(host)
        }
        for (number, device) in scenario.devices.enumerated() {
            let host = AgentHost(world: self, number: number) { [unowned self] now in
                self.makeAgent(number, device: device, now: now)
            }
            host.keepsParts = scenario.nature.keepsParts
            host.exit()
            scenario.canary?.install(on: host, in: self)
            agents.append(host)
        }
    }

    private func makeAgent(_ number: Int, device: Int, now: Instant) -> Agent {
        let identity = AgentIdentity(
            fingerprint: ToyDigest.sha256([UInt8(device)]), run: RunID.random(using: &dice.identities.generator),
            capabilities: [], software: "a")
        return Agent(
            limits: scenario.agentLimits, identity: identity, cryptography: ToyCryptography(),
            generator: SeededGenerator(seed: dice.identities.generator.next()), site: journals[number].site, now: now)
    }

    private func makeJobs() {
        for (number, job) in scenario.jobs.enumerated() {
            let id = UploadID(Int64(number + 1))
            jobs.append(
                JobState(
                    upload: id, key: scenario.wholeKey(number), agent: job.agent, policy: job.policy,
                    isStream: job.isStream, isSoleWriter: scenario.isSoleWriter(number),
                    file: VirtualFile(bytes: job.bytes, inode: UInt64(number + 1))))
            journals[job.agent].add(
                VirtualJournal.Row(id: id, key: job.key, policy: job.policy, partBytesWish: job.partBytes))
        }
    }

    /// The index of an upload's job, which follows from the upload's number.
    func job(_ upload: UploadID) -> Int { Int(upload.value) - 1 }

    // MARK: Running

    /// Runs the scenario.
    package func run() {
        planFaultsByTime()
        for agent in agents.indices {
            planStart(of: agent, after: .milliseconds(agent == 0 ? 0 : dice.people.moment()))
        }
        schedule.after(Self.healsAfter) { [unowned self] in self.heal() }
        let deadline = schedule.now + Self.healsAfter + Self.finishesWithin
        while !isOver {
            guard steps < Self.stepsMax, schedule.now < deadline, violations.isEmpty, schedule.step() else { break }
            steps += 1
        }
        endedAt = schedule.now
        operationsUntilEnd = operations
        guard violations.isEmpty else { return }
        guard isOver else {
            for (number, job) in jobs.enumerated() where !job.isDone {
                violation(
                    "job \(number) has not ended \(steps < Self.stepsMax ? "in time" : "after \(steps) steps"); "
                        + "last it \(job.lastOutcome)")
            }
            return
        }
        checkEnd()
        rest()
    }

    private var isOver: Bool { jobs.allSatisfy(\.isDone) && people.allSatisfy { $0.plannedPushes == 0 } }

    private func rest() {
        isResting = true
        heal()
        for agent in agents where !agent.isDead { agent.exit() }
        var left = Self.stepsMax
        while left > 0, violations.isEmpty, schedule.step() { left -= 1 }
        guard violations.isEmpty else { return }
        if !schedule.isEmpty { violation("no rest") }
        for (number, gateway) in gateways.enumerated() {
            let machine = gateway.machine
            let leftovers = [
                ("bytes reserved", Int(machine.bytesReserved)), ("sessions", machine.sessionCount),
                ("parts", machine.partsUnderWay), ("connections", machine.connectionCount),
                ("requests", machine.requestsUnderWay), ("flows", gateway.flowCount), ("calls", gateway.callCount),
            ]
            for (name, count) in leftovers where count != 0 && scenario.canary != .losesAnswers {
                violation("gateway \(number) is left with \(count) \(name)")
            }
        }
        store.clean()
        if store.uploadCount + store.recordCount > 0 { violation("uploads are left after cleaning") }
    }

    /// Ends all faults and repairs their lasting effects.
    func heal() {
        isHealed = true
        outageUntil = schedule.now
        awayUntil = schedule.now
        fullUntil = schedule.now
        let newest = sealingKeys.max() ?? 1
        for (number, gateway) in gateways.enumerated() {
            if sealingKeys[number] < newest {
                sealingKeys[number] = newest
                monitor.gatewayDied(number)
                gateway.kill()
            }
            gateway.start()
            gateway.change { $0.handle(.devicesChanged(self.devices), now: self.schedule.now) }
        }
        for job in jobs { job.file.isMissing = false }
    }

    // MARK: Faults

    /// Returns the faults with this trigger, and counts them as having occurred.
    func take(_ trigger: Trigger) -> [Fault] {
        guard !isHealed, !faultsByTrigger.isEmpty, let faults = faultsByTrigger[trigger] else { return [] }
        for fault in faults { count(fault) }
        return faults
    }

    /// Counts an event in the statistics.
    func count(_ what: String) { faultCounts[what, default: 0] += 1 }

    /// Counts a fault in the statistics, and adds it to the trace.
    func count(_ fault: Fault) {
        count(fault.kind)
        trace.note(schedule.now, 1, text: "FAULT \(fault)")
    }

    package func violation(_ text: String) {
        trace.note(schedule.now, 2, text: "VIOLATION \(text)")
        if violations.count < 10 { violations.append(text) }
    }

    package func ticked(_ who: String) {
        ticks = ticks.at == schedule.now ? (ticks.at, ticks.count + 1) : (schedule.now, 0)
        if ticks.count == 400 { violation("the \(who) ticks without end") }
    }
}

/// The state of one job, from its user's point of view.
package struct JobState {
    let upload: UploadID
    /// The whole key, prefix included.
    let key: String
    let agent: Int
    /// The user's current policy for a key that holds an object.
    var policy: ExistingKeyPolicy
    let isStream: Bool
    let isSoleWriter: Bool
    package let file: VirtualFile
    package var isDone = false
    var isWantedDropped = false
    /// Whether the producer of a stream has failed, so that the stream stays incomplete. The agent drops the session
    /// and reports a failure, unless its process ends before.
    var isAbandoned = false
    /// Whether a read of the file has failed since the agent last reported such a failure.
    var readHasFailed = false
    /// The policy that the user had chosen when the agent last began the upload.
    var submittedPolicy = ExistingKeyPolicy.verify
    /// The index of the version that the file had when the agent last began the upload.
    var submittedVersion = 0
    var submittedAt = Instant(nanoseconds: 0)
    /// The index of the version of the file that was last reported as stored.
    var reportedVersion: Int?
    /// Whether the journal was lost, and with it what the agent knew of earlier sessions.
    var hasForgotten = false
    var sessionsBegun = 0
    package var bytesSent: UInt64 = 0
    var partBytesMost: UInt64 = 0
    /// The largest size that the file has had.
    var sizeMost = 0
    var lastOutcome = "was not taken up"
}

/// The user or supervisor who starts an agent's processes.
struct Person {
    var failures = 0
    /// Pushes that are still planned.
    var plannedPushes = 0
    var startsAt: Instant?
    /// The unfinished uploads of the current process.
    var submitted: Set<UploadID> = []
}

/// What was stored under each key so far.
struct KeyHistory {
    /// An object that was stored under a key.
    struct Put {
        var digest: SHA256Digest
        var at: Instant
    }

    var puts: [String: [Put]] = [:]
    /// The current object of each key.
    var objects: [String: VirtualStore.Object] = [:]
    var foreign: [String: Set<SHA256Digest>] = [:]
}
