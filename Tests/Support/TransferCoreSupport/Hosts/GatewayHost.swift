import NIOCore
package import TransferCommon
package import TransferCore
package import WireProtocol

/// Takes the place of a gateway's shell in a simulation: performs the machine's actions without sockets.
package final class GatewayHost {
    private struct End {
        var wire: Wire
        var decoder = FrameDecoder(receiver: .gateway)
        var flow: (id: FlowID, skip: UInt64)?
        /// The compressed block that is arriving; only a whole block can be decoded.
        var block: (bytes: [UInt8], plainBytes: Int)?
        var isEnded = false
    }

    package private(set) var machine: Gateway
    /// The gateway's number in its simulation.
    package let number: Int
    private let makeMachine: () -> Gateway
    unowned let world: any HostWorld
    private let store: VirtualStore
    private var ends: [ConnectionID: End] = [:]
    private var flows: [FlowID: VirtualFlow] = [:]
    private var calls: [StoreRequestID: StoreCall] = [:]
    private var callClasses: [StoreRequestID: StoreCallClass] = [:]
    private var lastConnection: UInt64 = 0
    private var timerAt: Instant?
    /// The number of the gateway's current process. The host ignores events that an earlier process has scheduled.
    private var life = 0
    package private(set) var notes: [GatewayNote] = []
    /// Whether the process is dead and was not restarted yet.
    package private(set) var isDown = false
    /// Offset of the gateway's wall clock.
    package var clockOffsetMilliseconds: Int64 = 0
    /// Changes frames before the machine receives them.
    package var tamperInbound: ((Frame) -> Frame)?
    /// Decides whether the host withholds a frame from the agent. A simulation that asks the gateway questions of its
    /// own intercepts the answers in this way.
    package var withholds: ((Frame, Slot) -> Bool)?
    package var tamperRequest: ((StoreRequest) -> StoreRequest?)?
    package var tamperAnswer: ((StoreAnswer, StoreRequest) -> StoreAnswer?)?
    /// May give the machine an answer as soon as all bytes of a request have arrived, before the request takes effect.
    package var foreseesAnswer: ((StoreRequest, [UInt8]) -> StoreAnswer?)?
    /// Checks an invitation; without this function every invitation is invalid.
    package var enrol: ((SHA256Digest, InvitationSecret) -> EnrolmentOutcome)?
    /// Decompresses an LZ4 block. Simulated agents send none.
    package var decompress: ((_ block: [UInt8], _ plainBytes: Int) -> [UInt8]?)?

    package init(world: any HostWorld, store: VirtualStore, number: Int = 0, makeMachine: @escaping () -> Gateway) {
        self.world = world
        self.store = store
        self.number = number
        self.makeMachine = makeMachine
        self.machine = makeMachine()
    }

    /// Plain bytes that have arrived and that the store has not taken yet.
    package var bytesHeld: UInt64 { flows.values.reduce(0) { $0 + $1.bytesAppended - $1.bytesGiven } }

    package var flowCount: Int { flows.count }
    package var callCount: Int { calls.count }
    package var connectionCount: Int { ends.count }

    private var now: Instant { world.schedule.now }
    private var wallMilliseconds: Int64 { Int64(now.nanoseconds / 1_000_000) + clockOffsetMilliseconds }

    // MARK: Process

    /// Kills the process and starts a new one, which knows nothing of the old one's sessions. The store finishes the
    /// requests whose bytes it has received completely.
    package func restart() {
        kill()
        start()
    }

    /// Kills the process: its connections break, and its requests to the store are cancelled.
    package func kill() {
        guard !isDown else { return }
        isDown = true
        life += 1
        let wires = ends.sorted { $0.key < $1.key }.map(\.value.wire)
        ends = [:]
        for id in calls.keys.sorted() { calls[id]?.cancel() }
        calls = [:]
        callClasses = [:]
        flows = [:]
        timerAt = nil
        for wire in wires { wire.end(.cut) }
    }

    /// Starts a process if none is running.
    package func start() {
        guard isDown else { return }
        isDown = false
        machine = makeMachine()
        perform()
    }

    package func change(_ body: (inout Gateway) -> Void) {
        body(&machine)
        perform()
    }

    /// Cuts all connections, as a broken network does.
    package func cutAll() {
        for end in ends.sorted(by: { $0.key < $1.key }) { end.value.wire.end(.cut) }
    }

    // MARK: The wire

    package func accept(_ make: (ConnectionID) -> Wire) -> Wire {
        lastConnection += 1
        let id = ConnectionID(lastConnection + UInt64(life) * 1_000_000)
        let wire = make(id)
        ends[id] = End(wire: wire)
        machine.handle(.accepted(id), now: now)
        perform()
        return wire
    }

    func connectionLost(_ id: ConnectionID) {
        guard !isDown, ends.removeValue(forKey: id) != nil else { return }
        machine.handle(.connectionLost(id), now: now)
        perform()
    }

    func received(_ bytes: ByteBuffer, from id: ConnectionID) {
        machine.handle(.heard(bytes: UInt64(bytes.readableBytes), from: id), now: now)
        ends[id]?.decoder.append(bytes)
        do throws(WireError) {
            while ends[id]?.isEnded == false, let inbound = try ends[id]?.decoder.next() { receive(inbound, from: id) }
        } catch {
            ends[id]?.isEnded = true
            world.violation("the agent sent \(error.code.name)")
            machine.handle(.malformed(error.code, message: error.description, from: id), now: now)
            perform()
        }
    }

    private func receive(_ inbound: Inbound, from id: ConnectionID) {
        switch inbound {
        case .frame(let slot, let frame):
            world.received(frame, slot: slot, on: id, at: self)
            // `world.received` may have killed the process.
            guard ends[id] != nil else { return }
            let event = GatewayEvent.frame(
                tamperInbound?(frame) ?? frame, slot: slot, from: id, wallMilliseconds: wallMilliseconds)
            machine.handle(event, now: now)
        case .dataBegan(let slot, let header):
            switch machine.handle(.data(header, slot: slot, from: id), now: now).partData {
            case .accept(let flow, let skip):
                ends[id]?.flow = (flow, skip)
                if header.isCompressed { ends[id]?.block = ([], Int(header.plainBytes)) }
                world.tookData(from: id, at: self)
            case .discard: ends[id]?.flow = nil
            case .violation: ends[id]?.isEnded = true
            }
        case .dataBytes(let piece):
            if ends[id]?.block == nil {
                deliver(Array(piece.readableBytesView), from: id)
            } else {
                ends[id]?.block?.bytes += piece.readableBytesView
            }
        case .dataEnded:
            if let block = ends[id]?.block { deliver(block, from: id) }
            ends[id]?.block = nil
            ends[id]?.flow = nil
        }
        perform()
    }

    private func deliver(_ block: (bytes: [UInt8], plainBytes: Int), from id: ConnectionID) {
        if let plain = decompress?(block.bytes, block.plainBytes) { return deliver(plain, from: id) }
        ends[id]?.isEnded = true
        machine.handle(.malformed(.badCompression, message: "PART DATA holds no block", from: id), now: now)
    }

    private func deliver(_ bytes: [UInt8], from id: ConnectionID) {
        guard let (flow, skip) = ends[id]?.flow else { return }
        let skipped = min(skip, UInt64(bytes.count))
        ends[id]?.flow = (flow, skip - skipped)
        let wanted = Array(bytes.dropFirst(Int(skipped)))
        guard !wanted.isEmpty else { return }
        if machine.handle(.bytes(UInt64(wanted.count), flow: flow, from: id), now: now).areBytesWanted {
            if flows[flow] == nil { world.violation("bytes were wanted for a flow that is not there") }
            flows[flow]?.append(wanted)
        } else {
            ends[id]?.flow = nil
        }
    }

    // MARK: Actions

    private func perform() {
        let life = life
        for action in machine.takeActions() {
            perform(action)
            world.acted(self)
            guard life == self.life, !isDown else { return }
        }
        arm()
        if bytesHeld > machine.bytesReserved { world.violation("more bytes are held than are reserved") }
        if machine.bytesReserved > machine.limits.budgetBytes { world.violation("the budget is exceeded") }
        let owned = machine.bytesOwned
        let isTrue = owned.allSatisfy { machine.use(of: $0.key).bytesReserved == $0.value }
        if !isTrue || owned.values.reduce(0, +) != machine.bytesReserved {
            world.violation("the owners hold other bytes than are reserved")
        }
    }

    private func perform(_ action: GatewayAction) {
        switch action {
        case .send(let id, let slot, let frame):
            if let fault = frame.faultOfRefusal { world.violation("the gateway sent \(fault)") }
            send(frame, slot: slot, to: id)
        case .reportWritten(let id, let bytes):
            world.schedule.after(.milliseconds(1)) { [weak self, life] in
                guard let self, life == self.life else { return }
                self.machine.handle(.written(bytes: bytes, on: id), now: self.now)
                self.perform()
            }
        case .close(let id):
            guard let end = ends.removeValue(forKey: id) else { return }
            end.wire.close(from: .toAgent)
        case .store(let id, let request):
            call(id, request)
        case .cancel(let id):
            calls[id]?.cancel()
        case .openFlow(let id, let size, let holdsLast):
            flows[id] = VirtualFlow(size: size, holdsLast: holdsLast)
        case .releaseFlow(let id):
            if flows[id] == nil { world.violation("a flow was released that is not there") }
            flows[id]?.release()
        case .dropFlow(let id):
            flows.removeValue(forKey: id)?.drop()
        case .enrol(let id, let fingerprint, let secret):
            let outcome = enrol?(fingerprint, secret) ?? .invalid
            world.schedule.after(.zero) { [weak self, life] in
                guard let self, life == self.life else { return }
                self.machine.handle(.enrolled(outcome, on: id), now: self.now)
                self.perform()
            }
        case .note(let note):
            notes.append(note)
        }
    }

    private func send(_ frame: Frame, slot: Slot, to id: ConnectionID) {
        guard let end = ends[id] else { return }
        world.sends(frame, slot: slot, on: id, from: self)
        if withholds?(frame, slot) == true { return }
        var buffer = ByteBuffer()
        do throws(WireError) {
            try frame.encode(slot: slot, into: &buffer)
            end.wire.write(buffer, .toAgent)
        } catch {
            world.violation("the gateway cannot encode \(frame.type): \(error.code.name)")
        }
    }

    private func call(_ id: StoreRequestID, _ request: StoreRequest) {
        world.requests(request, at: self)
        callClasses[id] = request.callClass
        if let bound = machine.limits.calls[request.callClass],
            callClasses.values.count(where: { $0 == request.callClass }) > bound
        {
            world.violation("more than \(bound) calls of the class \(request.callClass) are under way")
        }
        let life = life
        var isTold = false
        guard let asked = tamperRequest?(request) ?? (tamperRequest == nil ? request : nil) else {
            return world.schedule.after(.milliseconds(1)) { [weak self] in
                guard let self, life == self.life else { return }
                self.tell(id, .done, request)
            }
        }
        let call = StoreCall(
            asked, store: store, flow: request.bytes.flatMap { flows[$0.flow] },
            origin: StoreOrigin(gateway: number, life: life),
            reportConsumed: { [weak self] total in
                guard let self, life == self.life, let flow = request.bytes?.flow else { return }
                self.machine.handle(.consumed(total: total, flow: flow), now: self.now)
                self.perform()
            },
            reportAnswer: { [weak self] answer in
                guard let self, life == self.life else { return }
                self.calls[id] = nil
                self.world.answered(answer, to: request, at: self)
                guard life == self.life, !isTold else { return }
                let told = self.tamperAnswer.map { $0(answer, request) } ?? answer
                if let told { self.tell(id, told, request) }
            })
        calls[id] = call
        call.onBody = foreseesAnswer.map { foresees in
            { [weak self] body in
                guard let foreseen = foresees(request, body) else { return }
                isTold = true
                self?.world.schedule.after(.zero) { [weak self] in
                    guard let self, life == self.life else { return }
                    self.tell(id, foreseen, request)
                }
            }
        }
        call.begin()
    }

    private func tell(_ id: StoreRequestID, _ answer: StoreAnswer, _ request: StoreRequest) {
        callClasses[id] = nil
        machine.handle(.storeAnswered(id, answer, wallMilliseconds: wallMilliseconds), now: now)
        perform()
    }

    private func arm() {
        guard let deadline = machine.nextDeadline, timerAt.map({ deadline < $0 }) ?? true else { return }
        timerAt = deadline
        let life = life
        world.schedule.at(deadline) { [weak self] in
            guard let self, life == self.life, self.timerAt == deadline else { return }
            self.timerAt = nil
            if let due = self.machine.nextDeadline, due <= self.now {
                self.world.ticked("gateway")
                self.machine.handle(.tick, now: self.now)
            }
            self.perform()
        }
    }
}
