import NIOCore
package import TransferCore
import WireProtocol

/// A gateway's shell without sockets: performs what the machine decides, in the virtual world.
package final class GatewayHost {
    private struct End {
        var wire: Wire
        var decoder = FrameDecoder(receiver: .gateway)
        var flow: (id: FlowID, skip: UInt64)?
        var isEnded = false
    }

    package private(set) var machine: Gateway
    private let makeMachine: () -> Gateway
    private unowned let pair: Pair
    private var ends: [ConnectionID: End] = [:]
    private var flows: [FlowID: VirtualFlow] = [:]
    private var calls: [StoreRequestID: StoreCall] = [:]
    private var lastConnection: UInt64 = 0
    private var timerAt: Instant?
    /// Counts restarts: what was planned for an earlier life finds nobody.
    private var life = 0
    package private(set) var notes: [GatewayNote] = []

    init(pair: Pair, makeMachine: @escaping () -> Gateway) {
        self.pair = pair
        self.makeMachine = makeMachine
        self.machine = makeMachine()
    }

    package var flowCount: Int { flows.count }
    package var callCount: Int { calls.count }
    package var connectionCount: Int { ends.count }

    private var now: Instant { pair.schedule.now }
    private var wallMilliseconds: Int64 { Int64(now.nanoseconds / 1_000_000) }

    // MARK: Life

    /// The process dies and another takes its place: nothing is remembered, the store finishes what it has whole.
    package func restart() {
        life += 1
        let wires = ends.sorted { $0.key < $1.key }.map(\.value.wire)
        ends = [:]
        for id in calls.keys.sorted() { calls[id]?.cancel() }
        calls = [:]
        flows = [:]
        timerAt = nil
        machine = makeMachine()
        perform()
        for wire in wires { wire.cut() }
    }

    package func change(_ body: (inout Gateway) -> Void) {
        body(&machine)
        perform()
    }

    /// Every connection ends, as with a broken network.
    func cutAll() {
        for end in ends.sorted(by: { $0.key < $1.key }) { end.value.wire.cut() }
    }

    // MARK: The wire

    func accept(_ make: (ConnectionID) -> Wire) -> Wire {
        lastConnection += 1
        let id = ConnectionID(lastConnection + UInt64(life) * 1_000_000)
        let wire = make(id)
        ends[id] = End(wire: wire)
        machine.accepted(id, now: now)
        perform()
        return wire
    }

    func connectionLost(_ id: ConnectionID) {
        guard ends.removeValue(forKey: id) != nil else { return }
        machine.connectionLost(id, now: now)
        perform()
    }

    func received(_ bytes: ByteBuffer, from id: ConnectionID) {
        ends[id]?.decoder.append(bytes)
        do throws(WireError) {
            while ends[id]?.isEnded == false, let inbound = try ends[id]?.decoder.next() { receive(inbound, from: id) }
        } catch {
            ends[id]?.isEnded = true
            pair.violation("the agent sent \(error.code.name)")
            machine.receivedMalformed(error.code, from: id, now: now)
            perform()
        }
    }

    private func receive(_ inbound: Inbound, from id: ConnectionID) {
        switch inbound {
        case .frame(let slot, let frame):
            pair.observe(frame, slot: slot, on: id, .toGateway)
            machine.receivedFrame(frame, slot: slot, from: id, now: now, wallMilliseconds: wallMilliseconds)
        case .dataBegan(let slot, let header):
            switch machine.receivedData(header, slot: slot, from: id, now: now) {
            case .accept(let flow, let skip): ends[id]?.flow = (flow, skip)
            case .discard: ends[id]?.flow = nil
            case .violation: ends[id]?.isEnded = true
            }
        case .dataBytes(let piece):
            deliver(Array(piece.readableBytesView), from: id)
        case .dataEnded:
            ends[id]?.flow = nil
        }
        perform()
    }

    private func deliver(_ bytes: [UInt8], from id: ConnectionID) {
        guard let (flow, skip) = ends[id]?.flow else { return }
        let skipped = min(skip, UInt64(bytes.count))
        ends[id]?.flow = (flow, skip - skipped)
        let wanted = Array(bytes.dropFirst(Int(skipped)))
        guard !wanted.isEmpty else { return }
        if machine.receivedBytes(UInt64(wanted.count), flow: flow, from: id, now: now) {
            if flows[flow] == nil { pair.violation("bytes were wanted for a flow that is not there") }
            flows[flow]?.append(wanted)
        } else {
            ends[id]?.flow = nil
        }
    }

    // MARK: Performing

    private func perform() {
        for action in machine.takeActions() { perform(action) }
        arm()
        if machine.bytesReserved > machine.limits.budgetBytes { pair.violation("the budget is exceeded") }
    }

    private func perform(_ action: GatewayAction) {
        switch action {
        case .send(let id, let slot, let frame):
            send(frame, slot: slot, to: id)
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
            if flows[id] == nil { pair.violation("a flow was released that is not there") }
            flows[id]?.release()
        case .dropFlow(let id):
            flows.removeValue(forKey: id)?.drop()
        case .note(let note):
            notes.append(note)
        }
    }

    private func send(_ frame: Frame, slot: Slot, to id: ConnectionID) {
        guard let end = ends[id] else { return }
        pair.check(frame, in: self)
        pair.observe(frame, slot: slot, on: id, .toAgent)
        var buffer = ByteBuffer()
        do throws(WireError) {
            try frame.encode(slot: slot, into: &buffer)
            end.wire.write(buffer, .toAgent)
        } catch {
            pair.violation("the gateway cannot encode \(frame.type): \(error.code.name)")
        }
    }

    private func call(_ id: StoreRequestID, _ request: StoreRequest) {
        pair.requested(request)
        let life = life
        let call = StoreCall(
            request, store: pair.store, flow: request.bytes.flatMap { flows[$0.flow] },
            reportConsumed: { [weak self] total in
                guard let self, life == self.life, let flow = request.bytes?.flow else { return }
                self.machine.consumed(total, flow: flow, now: self.now)
                self.perform()
            },
            reportAnswer: { [weak self] answer in
                guard let self, life == self.life else { return }
                self.calls[id] = nil
                self.pair.answered(answer, to: request)
                self.machine.storeAnswered(id, answer, now: self.now, wallMilliseconds: self.wallMilliseconds)
                self.perform()
            })
        calls[id] = call
        call.begin()
    }

    private func arm() {
        guard let deadline = machine.nextDeadline, timerAt.map({ deadline < $0 }) ?? true else { return }
        timerAt = deadline
        let life = life
        pair.schedule.at(deadline) { [weak self] in
            guard let self, life == self.life, self.timerAt == deadline else { return }
            self.timerAt = nil
            if let due = self.machine.nextDeadline, due <= self.now {
                self.pair.ticked("gateway")
                self.machine.tick(now: self.now)
            }
            self.perform()
        }
    }
}
