import SeededRandom
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Applies every event in every state of a gateway. Each result is defined and nothing traps. After all connections are
/// closed and all requests answered, no slot and no request is left.
@Suite struct GatewayTableTests {
    /// A state of the connection, of its slot 1, and of the session in this slot.
    enum State: String, CaseIterable {
        case noConnection, silent, closed
        case lookingUp, findingRecords, probing, recording, creating, recordingUpload
        case openingWithPart, openingWithWholePartAndComplete
        case open, openWithPart, openWithWholePart
        case onePartOpen, onePartHeld, onePartReleased
        case listing, resuming, searching, searchingLater
        case comparing, completing, completingLater, lookingForOutcome
        case aborting, abortingListing, abortingLater
        case closedAfterCompletion, draining
        case onePartLooking, closedByAnObject

        /// The slot state that the specification gives to slot 1 (§6.1); `nil` before WELCOME.
        var slot: SlotState? {
            switch self {
            case .noConnection, .silent: nil
            case .closed, .closedAfterCompletion, .closedByAnObject, .draining: .closed
            case .lookingUp, .findingRecords, .probing, .recording, .creating, .recordingUpload, .openingWithPart,
                .openingWithWholePartAndComplete:
                .opening
            case .listing: .listing
            case .resuming, .searching, .searchingLater: .resuming
            case .open, .openWithPart, .openWithWholePart, .onePartOpen, .onePartHeld: .open
            case .onePartLooking, .onePartReleased, .comparing, .completing, .completingLater, .lookingForOutcome:
                .completing
            case .aborting, .abortingListing, .abortingLater: .aborting
            }
        }
    }

    enum Event: CaseIterable, CustomStringConvertible {
        case frame(Slot, Frame)
        case data(offset: UInt64, bytes: UInt32)
        case bytes, consumed
        case answer(StoreAnswer)
        case connectionLost, malformed
        case tick(Duration)
        case drain, revoke, change, newerRun, joins, accepted

        static let allCases: [Event] =
            frames.map { .frame($0.0, $0.1) } + answers.map { .answer($0) } + [
                .data(offset: 0, bytes: 100), .data(offset: 50, bytes: 100), .data(offset: 900, bytes: 256),
                .data(offset: .max - 300, bytes: 256), .data(offset: 0, bytes: 257), .bytes, .consumed, .connectionLost,
                .malformed, .tick(.zero), .tick(.seconds(2)), .tick(.seconds(30)), .tick(.seconds(4_000)), .drain,
                .revoke,
                .change, .newerRun, .joins, .accepted,
            ]

        static let answers: [StoreAnswer] =
            [
                .done, .object(nil), .object(GatewayDriver.object()), .object(GatewayDriver.object(session: nil)),
                .object(GatewayDriver.object(size: 9, session: nil)), .records([]), .records([record(1), record(2)]),
                .records([record(3)]), .uploadCreated(upload: "upload-1"),
                .uploadCreated(upload: String(repeating: "u", count: 5_000)), .parts([]),
                .parts(GatewayDriver.entries(of: 2_500)), .partStored(etag: "etag-1"),
                .objectStored(GatewayDriver.storedObject),
            ]
            + [
                .uploadUnknown, .unavailable(retryAfter: .seconds(1)), .outcomeUnknown, .full, .denied, .bucketMissing,
                .digestMismatch, .partsInvalid([]), .partsInvalid([1, 2].compactMap { PartNumber($0) }), .keyTaken,
                .objectGone, .conflict,
                .keyUnsupported(message: "m"), .refused(message: "m"), .cancelled,
            ].map { StoreAnswer.failed($0) }

        static func record(_ session: UInt64) -> SessionRecord {
            SessionRecord(
                device: "device-1", session: SessionID(high: session, low: session), terms: GatewayDriver.terms(),
                upload: "upload-\(session)")
        }

        static let frames: [(Slot, Frame)] = {
            let slot = GatewayDriver.slot
            var frames: [(Slot, Frame)] = [
                (.connection, .hello(GatewayDriver.hello())), (.connection, .ping(Ping(nonce: 7))),
                (.connection, .pong(Pong(nonce: 7))),
                (
                    .connection,
                    .error(ErrorReport(scope: .connection, code: .internal, retryAfterMilliseconds: 0, message: ""))
                ),
                (slot, .error(ErrorReport(scope: .session, code: .internal, retryAfterMilliseconds: 0, message: ""))),
                (slot, .sessionOpen(GatewayDriver.open(size: 2_500))),
                (slot, .sessionOpen(GatewayDriver.open(size: 900))),
                (slot, .resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token()))),
                (slot, .resumeQuery(ResumeQuery(listedParts: 3, token: GatewayDriver.token()))),
                (slot, .resumeQuery(ResumeQuery(listedParts: .max, token: GatewayDriver.token()))),
                (slot, .resumeQuery(ResumeQuery(listedParts: 0, token: [1, 2, 3]))),
                (slot, .abort(Abort(token: GatewayDriver.token()))), (slot, .abort(Abort(token: []))),
                (slot, .sessionLeave(SessionLeave())),
                (slot, .partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true))),
                (slot, .partList(PartList(entries: Array(GatewayDriver.entries(of: 2_500).suffix(1)), isLast: false))),
                (slot, .partList(PartList(entries: [], isLast: false))),
                (slot, .complete(GatewayDriver.complete(2_500))), (slot, .complete(GatewayDriver.complete(900))),
                (slot, .complete(Complete(root: ToyDigest.sha256([9]), partCount: .max, size: .max))),
                // Frames that only a gateway sends. The decoder normally rejects them before they reach the machine.
                (.connection, .goAway(GoAway(deadlineMilliseconds: 0, message: ""))), (slot, .aborted(Aborted())),
                (slot, .sessionLeft(SessionLeft())), (slot, .proven(.absent)),
                (
                    .connection,
                    .report(
                        StatusReport(
                            status: .idle, pendingItems: 0, pendingBytes: 0, oldestSeconds: 0, quarantinedItems: 0,
                            freeBytes: nil, reason: ""))
                ),
                (
                    slot,
                    .prove(Prove(size: 900, partBytes: 1_000, root: .zero, key: "file", readsBack: false))
                ),
                (Slot(9_999), .sessionLeave(SessionLeave())),
            ]
            for (part, size) in [(1, 2_500), (2, 2_500), (3, 2_500), (1, 900), (4, 9_500)] as [(UInt32, UInt64)] {
                if let offer = GatewayDriver.offer(part, of: size) { frames.append((slot, .partOffer(offer))) }
            }
            return frames
        }()

        var description: String {
            switch self {
            case .frame(let slot, let frame): "\(frame.type) in \(slot)"
            case .data(let offset, let bytes): "PART DATA \(offset) + \(bytes)"
            case .bytes: "bytes"
            case .consumed: "consumed"
            case .answer(let answer): "\(answer)"
            case .connectionLost: "connection lost"
            case .malformed: "malformed"
            case .tick(let duration): "tick after \(duration)"
            case .drain: "drain"
            case .revoke: "revoke"
            case .change: "change of the device"
            case .newerRun: "newer run"
            case .joins: "another connection joins"
            case .accepted: "another connection"
            }
        }
    }

    // MARK: States

    static func driver(
        in state: State, change: (inout GatewayLimits) -> Void = { _ in }
    ) throws -> GatewayDriver {
        var driver = GatewayDriver { limits in
            change(&limits)
            // The gateway looks up the key by itself only if the store does not check write conditions.
            if state == .onePartLooking { limits.conditions = .none }
        }
        switch state {
        case .noConnection: return driver
        case .silent:
            driver.machine.accepted(GatewayDriver.connection, now: driver.now)
            return driver
        default: driver.connect()
        }
        switch state {
        case .closed, .noConnection, .silent: break
        case .lookingUp, .findingRecords, .probing, .recording, .creating, .recordingUpload, .open, .openWithPart,
            .openWithWholePart, .openingWithPart, .comparing, .completing, .completingLater, .lookingForOutcome,
            .closedAfterCompletion, .closedByAnObject, .draining:
            try bringUp(&driver, to: state)
        case .openingWithWholePartAndComplete, .onePartOpen, .onePartHeld, .onePartLooking, .onePartReleased:
            try bringUpOnePart(&driver, to: state)
        case .listing: driver.frame(.resumeQuery(ResumeQuery(listedParts: 3, token: GatewayDriver.token())))
        case .resuming, .searching, .searchingLater:
            driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: GatewayDriver.token())))
            if state != .resuming { driver.answer(.failed(.uploadUnknown)) }
            if state == .searchingLater { driver.answer(.object(nil)) }
        case .aborting, .abortingListing, .abortingLater:
            driver.frame(.abort(Abort(token: GatewayDriver.token())))
            if state != .aborting { driver.answer(.done) }
            if state == .abortingLater { driver.answer(.parts(GatewayDriver.entries(of: 2_500))) }
        }
        return driver
    }

    private static func bringUp(_ driver: inout GatewayDriver, to state: State) throws {
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
        let offer = try #require(GatewayDriver.offer(1, of: 2_500))
        if state == .openingWithPart {
            driver.frame(.partOffer(offer))
            driver.data(bytes: 200)
        }
        if state == .probing {
            driver.answer(.object(nil))
            driver.answer(.records([AdoptionTests.record(3)]))
            return
        }
        let answers: [(StoreAnswer, before: State)] = [
            (.object(nil), .lookingUp), (.records([]), .findingRecords), (.done, .recording),
            (.uploadCreated(upload: "upload-1"), .creating), (.done, .recordingUpload),
        ]
        for (answer, before) in answers {
            if state == before || state == .openingWithPart { return }
            driver.answer(answer)
        }
        switch state {
        case .openWithPart, .openWithWholePart:
            driver.frame(.partOffer(offer))
            driver.data(bytes: 200)
            guard state == .openWithWholePart else { return }
            for offset in stride(from: UInt64(200), to: 1_000, by: 200) {
                if let flow = driver.flows.last { driver.change { $0.consumed(offset, flow: flow, now: $1) } }
                driver.data(offset: offset, bytes: 200)
            }
        case .comparing, .completing, .completingLater, .lookingForOutcome, .closedAfterCompletion, .closedByAnObject:
            driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)))
            driver.frame(.complete(GatewayDriver.complete(2_500)))
            guard state != .comparing else { return }
            driver.answer(.parts(GatewayDriver.entries(of: 2_500)))
            if state == .completingLater { driver.answer(.failed(.unavailable(retryAfter: .zero))) }
            if state == .lookingForOutcome { driver.answer(.failed(.outcomeUnknown)) }
            if state == .closedAfterCompletion { driver.answer(.objectStored(GatewayDriver.storedObject)) }
            if state == .closedByAnObject {
                driver.answer(.failed(.keyTaken))
                driver.answer(.object(GatewayDriver.object(session: nil)))
            }
        case .draining:
            driver.frame(.sessionLeave(SessionLeave()))
            driver.change { $0.drain(within: .seconds(10), now: $1) }
        default:
            break
        }
    }

    private static func bringUpOnePart(_ driver: inout GatewayDriver, to state: State) throws {
        driver.frame(.sessionOpen(GatewayDriver.open(size: 400)))
        if state != .openingWithWholePartAndComplete { driver.answer(.object(nil)) }
        guard state != .onePartOpen else { return }
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))))
        driver.data(bytes: 200)
        driver.data(offset: 200, bytes: 200)
        if state != .onePartHeld { driver.frame(.complete(GatewayDriver.complete(400))) }
    }

    /// Applies an event and returns the actions that the peer could notice.
    private static func apply(_ event: Event, to driver: inout GatewayDriver) -> [GatewayAction] {
        let id = GatewayDriver.connection
        switch event {
        case .frame(let slot, let frame): return driver.frame(frame, slot: slot)
        case .data(let offset, let bytes):
            let verdict = driver.data(offset: offset, bytes: bytes)
            return verdict == .violation ? [.close(id)] : []
        case .bytes:
            guard let flow = driver.flows.last else { return [] }
            return driver.change { _ = $0.receivedBytes(.max, flow: flow, from: id, now: $1) }
        case .consumed:
            guard let flow = driver.flows.last else { return [] }
            return driver.change {
                $0.consumed(150, flow: flow, now: $1)
                $0.consumed(.max, flow: flow, now: $1)
            }
        case .answer(let answer): return driver.answer(answer)
        case .connectionLost: return driver.change { $0.connectionLost(id, now: $1) }
        case .malformed: return driver.change { $0.receivedMalformed(.badValue, message: "m", from: id, now: $1) }
        case .tick(let duration): return driver.tick(after: duration)
        case .drain: return driver.change { $0.drain(within: .seconds(1), now: $1) }
        case .revoke: return driver.change { $0.devicesChanged([], now: $1) }
        case .change:
            var device = GatewayDriver.device
            device.prefix = "other/"
            return driver.change { $0.devicesChanged([device], now: $1) }
        case .newerRun:
            let other = driver.newConnection()
            return driver.connect(other, run: other.value)
        case .joins:
            let token = driver.tokens.last ?? GatewayDriver.token()
            let other = driver.newConnection()
            driver.connect(other)
            return driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)), from: other)
        case .accepted:
            let other = driver.newConnection()
            return driver.change { $0.accepted(other, now: $1) }
        }
    }

    // MARK: The table

    @Test(arguments: State.allCases)
    func everyEventHasADefinedResult(in state: State) throws {
        for event in Event.allCases {
            var driver = try Self.driver(in: state)
            let actions = Self.apply(event, to: &driver)
            Self.check(actions, "\(state), \(event)")
            #expect(driver.machine.bytesReserved <= driver.machine.limits.budgetBytes)
            if let violated = Self.contradiction(state, event, actions) {
                Issue.record("\(state), \(event): \(violated)")
            }
            driver.comeToRest()
            Self.checkNothingIsLeft(driver, "\(state), \(event)")
        }
    }

    @Test(arguments: State.allCases)
    func anyEventSequenceLeavesNothing(in state: State) throws {
        let number = State.allCases.firstIndex(of: state) ?? 0
        var generator = SeededGenerator(seed: UInt64(number))
        for _ in 0..<150 {
            var driver = try Self.driver(in: state)
            var story = "\(state)"
            for _ in 0..<12 {
                guard let event = Event.allCases.randomElement(using: &generator) else { return }
                story += ", \(event)"
                Self.check(Self.apply(event, to: &driver), story)
            }
            driver.comeToRest()
            Self.checkNothingIsLeft(driver, story)
        }
    }

    /// The connection is lost while the session waits for the store. The store answers only after the time for which
    /// the gateway keeps a session without a connection. The session must end with that answer, not before.
    @Test(arguments: State.allCases)
    func askingSessionOutlivesItsConnection(in state: State) throws {
        var driver = try Self.driver(in: state)
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        for _ in 0..<20 { driver.tick(after: .seconds(1_000)) }
        if let deadline = driver.machine.nextDeadline { #expect(deadline > driver.now) }
        driver.comeToRest()
        Self.checkNothingIsLeft(driver, "\(state)")
    }

    private static func check(_ actions: [GatewayAction], _ comment: String) {
        for action in actions {
            guard case .send(_, let slot, let frame) = action else { continue }
            #expect(frame.isEncodable(slot: slot), "\(comment): \(frame.type)")
            if let fault = frame.faultOfRefusal { Issue.record("\(comment): \(fault)") }
        }
    }

    private static func checkNothingIsLeft(_ driver: GatewayDriver, _ comment: String) {
        let machine = driver.machine
        let left = [
            Int(machine.bytesReserved), machine.sessionCount, machine.connectionCount, machine.partsUnderWay,
            machine.requestsUnderWay, machine.slotsInUse, driver.flows.count,
        ]
        if left != [0, 0, 0, 0, 0, 0, 0] { Issue.record("\(comment) leaves \(left)") }
    }

    /// How the actions differ from the reaction that the specification requires in this slot state (§6.1); `nil` if
    /// they agree, or if the specification allows several reactions.
    private static func contradiction(_ state: State, _ event: Event, _ actions: [GatewayAction]) -> String? {
        let code = actions.compactMap { action -> ErrorCode? in
            if case .send(_, .connection, .error(let report)) = action { report.code } else { nil }
        }.first
        let isClosed = actions.contains(.close(GatewayDriver.connection))
        switch (state, event) {
        case (.noConnection, .frame), (.noConnection, .data): return actions.isEmpty ? nil : "it caused actions"
        case (.silent, .frame(_, .hello)): return code == nil ? nil : "HELLO was refused"
        case (.silent, .frame), (_, .frame(_, .hello)), (_, .frame(_, .goAway)), (_, .frame(_, .aborted)),
            (_, .frame(_, .sessionLeft)), (_, .frame(_, .proven)):
            return code == .unexpectedFrame && isClosed ? nil : "it was not ended"
        case (_, .frame(let slot, _)) where slot.value > 1_024:
            return code == .badSlot && isClosed ? nil : "the slot was taken"
        case (_, .frame(_, .ping)):
            return actions == [.send(GatewayDriver.connection, .connection, .pong(Pong(nonce: 7)))] ? nil : "no PONG"
        case (_, .frame(_, .pong)), (_, .frame(_, .report)): return actions.isEmpty ? nil : "it was answered"
        case (_, .data(_, bytes: 257)): return isClosed ? nil : "a large chunk was taken"
        case (_, .frame(let slot, let frame)) where slot != .connection:
            guard let slotState = state.slot, let kind = frame.slotFrame else { return nil }
            return contradiction(slotState.effect(of: kind), code, actions)
        case (_, .data(_, bytes: 100)):
            guard let effect = state.slot?.effect(of: .partData) else { return nil }
            guard effect == .unexpectedFrame else { return effect == .discard ? unless(actions.isEmpty, effect) : nil }
            return unless(code == .unexpectedFrame || isClosed, effect)
        default: return nil
        }
    }

    private static func contradiction(
        _ effect: SlotState.Effect, _ code: ErrorCode?, _ actions: [GatewayAction]
    ) -> String? {
        let leftCount = actions.count { if case .send(_, _, .sessionLeft) = $0 { true } else { false } }
        switch effect {
        case .unexpectedFrame:
            return unless(code == .unexpectedFrame && actions.contains(.close(GatewayDriver.connection)), effect)
        case .discard: return unless(actions.isEmpty, effect)
        case .leave: return unless(leftCount == 1, effect)
        case .begin, .take, .hold, .judge: return unless(code != .unexpectedFrame, effect)
        }
    }

    private static func unless(_ isRight: Bool, _ effect: SlotState.Effect) -> String? {
        isRight ? nil : "the effect is not \(effect)"
    }
}
