import SeededRandom
import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Applies every event in every state of an agent. No event traps, every frame that the agent sends can be encoded, and
/// when the agent has stopped, no part, slot or upload is left.
@Suite struct AgentTableTests {
    /// A state of the connection and of the single upload.
    enum State: String, CaseIterable {
        case idle, away, connecting, greeting, recording
        case opening, openingEarly, openingSmallCompleting
        case comparing
        case transferring, reading, sendingUndecided, sendingDecided, sent, partDeferred
        case resuming, resumed, verifying, verifyingToComplete
        case rechecking, completing
        case aborting, droppingWhileOpening
        case waitingToRetry, leaving, ending, stopped
        case stoppingWhileOpening, stoppingWhileSending, stoppingWhileCompleting
    }

    enum Event: CaseIterable, CustomStringConvertible {
        case frame(Frame)
        case opened, adopted, openedOther
        case connected, connectionLost, malformed, commit, chunkSent, chunkFailed, sessionLeft
        case reading(PartReading)
        case evidence(EvidenceReading)
        case checked(Result<FileStamp, UploadFailure>)
        case tick(Duration)
        case drop, stop, journalFailed, submit

        static var stampTouched: FileStamp {
            var stamp = AgentDriver.stamp
            stamp.change = ModificationTime(seconds: 99, nanoseconds: 0)
            return stamp
        }

        static let allCases: [Event] =
            frames.map { .frame($0) } + [
                .opened, .adopted, .openedOther, .connected, .connectionLost, .malformed, .commit, .chunkSent,
                .chunkFailed, .sessionLeft, .drop, .stop, .journalFailed, .submit, .tick(.zero), .tick(.seconds(1)),
                .tick(.seconds(25)), .tick(.seconds(100)), .tick(.seconds(4_000)),
                .reading(.truncated), .reading(.failed(UploadFailure(.unreadable))),
                .reading(.read(digest: ToyDigest.sha256([1]), md5: nil, stamp: AgentDriver.stamp)),
                .reading(.read(digest: ToyDigest.sha256([1]), md5: ToyDigest.md5([1]), stamp: stampTouched)),
                .reading(.read(digest: ToyDigest.sha256([1]), md5: nil, stamp: AgentDriver.stamp(size: 9))),
                .evidence(.failed(UploadFailure(.unreadable))), .evidence(.computed(.none, stamp: AgentDriver.stamp)),
                .evidence(.computed(.root(ToyDigest.sha256([1])), stamp: AgentDriver.stamp)),
                .evidence(.computed(.none, stamp: AgentDriver.stamp(size: 9))),
                .checked(.success(AgentDriver.stamp)), .checked(.success(stampTouched)),
                .checked(.success(AgentDriver.stamp(size: 9))), .checked(.failure(UploadFailure(.missing))),
            ]

        static let codes: [ErrorCode] =
            ([1, 8, 0x0B, 0x10] + Array(0x20...0x25) + Array(0x30...0x43) + Array(0x50...0x52) + [0xFF, 0x7777]).map {
                ErrorCode(rawValue: $0)
            }

        static let frames: [Frame] = {
            let parts = [1, 2, 3, 4_000_000_000].compactMap { PartNumber($0) }
            var frames: [Frame] = [
                .welcome(AgentDriver.welcome(0)), .welcome(AgentDriver.welcome(.max)), .ping(Ping(nonce: 7)),
                .pong(Pong(nonce: 7)), .goAway(GoAway(deadlineMilliseconds: 5_000, message: "")),
                .goAway(GoAway(deadlineMilliseconds: .max, message: "")), .aborted(Aborted()),
                .sessionLeft(SessionLeft()), .proven(.absent),
                AgentDriver.completed(), AgentDriver.completed(size: 3), AgentDriver.completed(size: 200),
                AgentDriver.completed(evidence: .root(ToyDigest.sha256([9]))),
                AgentDriver.resumeState(), AgentDriver.resumeState(.completing), AgentDriver.resumeState(.lost),
                AgentDriver.resumeState(candidates: 3, wanted: parts), .partsWanted(PartsWanted(parts: parts)),
                .partList(PartList(entries: GatewayDriver.entries(of: 2_500), isLast: true)),
                .partList(PartList(entries: GatewayDriver.entries(of: 90_000), isLast: false)),
                .hello(GatewayDriver.hello()), .sessionLeave(SessionLeave()),
            ]
            frames += [ContentEvidence.none, .root(ToyDigest.sha256([1])), .compositeMD5("x-3")].map {
                .sessionExists(
                    SessionExists(size: 2_500, partBytes: 700, evidence: $0, etag: "", version: "", session: nil))
            }
            for part in parts {
                frames += [
                    PartDecision.Decision.send(offset: 0, limit: 600), .send(offset: 100, limit: .max),
                    .send(offset: .max, limit: 0), .have(etag: "e"), .later(code: .busy, retryAfterMilliseconds: 50),
                    .later(code: .busy, retryAfterMilliseconds: .max), .no(code: .storeFull),
                ].map { .partDecision(PartDecision(part: part, decision: $0)) }
                frames += [
                    .received(Received(part: part, received: 100, limit: 700)),
                    .received(Received(part: part, received: .max, limit: .max)),
                    .stored(Stored(part: part, etag: "e")),
                ]
            }
            for code in codes {
                frames.append(.sessionRefused(SessionRefused(code: code, retryAfterMilliseconds: 20, message: "")))
                frames += [ErrorScope.part(parts[0]), .session, .connection].map {
                    .error(ErrorReport(scope: $0, code: code, retryAfterMilliseconds: 20, message: ""))
                }
            }
            return frames
        }()

        var description: String {
            switch self {
            case .frame(.error(let report)): "ERROR \(report.scope) \(report.code)"
            case .frame(.sessionRefused(let refused)): "SESSION REFUSED \(refused.code)"
            case .frame(.partDecision(let decision)): "\(decision)"
            case .frame(let frame): "\(frame.type)"
            case .opened: "SESSION OPENED"
            case .adopted: "SESSION OPENED, adopted"
            case .openedOther: "SESSION OPENED of another session"
            case .connected: "connected"
            case .connectionLost: "connection lost"
            case .malformed: "malformed"
            case .commit: "commit"
            case .chunkSent: "chunk sent"
            case .chunkFailed: "chunk failed"
            case .sessionLeft: "SESSION LEFT"
            case .reading(let reading): "\(reading)"
            case .evidence(let reading): "\(reading)"
            case .checked(let result): "\(result)"
            case .tick(let duration): "tick after \(duration)"
            case .drop: "drop"
            case .stop: "stop"
            case .journalFailed: "journal failed"
            case .submit: "another upload"
            }
        }
    }

    // MARK: States

    static func driver(in state: State) -> AgentDriver {
        var driver = AgentDriver()
        switch state {
        case .idle: break
        case .away:
            driver.submit(size: 2_500)
            _ = driver.connectionLost()
        case .connecting: driver.submit(size: 2_500)
        case .greeting:
            driver.submit(size: 2_500)
            if let id = driver.connections.last { driver.handle(.connected(id, by: nil)) }
        case .resuming, .resumed, .verifying, .verifyingToComplete, .rechecking, .completing, .aborting:
            bringUpResumed(&driver, to: state)
        case .stoppingWhileOpening, .stoppingWhileSending, .stoppingWhileCompleting:
            driver = Self.driver(
                in: state == .stoppingWhileOpening
                    ? .opening : state == .stoppingWhileSending ? .sendingDecided : .completing)
            driver.handle(.stopped)
        default:
            bringUp(&driver, to: state)
        }
        return driver
    }

    private static func bringUpResumed(_ driver: inout AgentDriver, to state: State) {
        let saved = AgentDriver.saved(stored: state == .resumed || state == .resuming || state == .verifying ? 2 : 3)
        switch state {
        case .verifying: driver.submit(size: 2_500, saved: saved, stamp: Event.stampTouched)
        case .aborting: driver.submit(size: 2_500, saved: saved, purpose: .abort)
        default: driver.submit(size: 2_500, saved: saved)
        }
        driver.welcome()
        guard state != .resuming, state != .verifying, state != .aborting else { return }
        driver.frame(AgentDriver.resumeState())
        guard state != .resumed, state != .rechecking else { return }
        let stamp = state == .verifyingToComplete ? Event.stampTouched : AgentDriver.stamp
        driver.handle(.fileChecked(.success(stamp), of: AgentDriver.upload))
    }

    private static func bringUp(_ driver: inout AgentDriver, to state: State) {
        let size: UInt64 = state == .openingSmallCompleting ? 200 : state == .openingEarly ? 900 : 2_500
        driver.submit(size: size, policy: state == .openingEarly || state == .comparing ? .replace : .verify)
        driver.welcome()
        guard state != .recording else { return }
        driver.commit()
        if state == .openingEarly || state == .openingSmallCompleting { driver.read(size: size) }
        if state == .openingSmallCompleting { driver.chunkSent() }
        switch state {
        case .opening, .openingEarly, .openingSmallCompleting: return
        case .comparing:
            driver.frame(
                .sessionExists(
                    SessionExists(
                        size: 2_500, partBytes: 700, evidence: .root(ToyDigest.sha256([1])), etag: "", version: "",
                        session: nil)))
            return
        case .droppingWhileOpening:
            driver.handle(.dropped(AgentDriver.upload))
            return
        case .waitingToRetry:
            driver.frame(.sessionRefused(SessionRefused(code: .busy, retryAfterMilliseconds: 5_000, message: "")))
            return
        case .ending, .stopped:
            for _ in 0..<2 { driver.handle(.stopped) }
            if state == .stopped { driver.commit() }
            return
        default:
            driver.frame(AgentDriver.opened(driver.session))
        }
        guard state != .transferring, state != .reading else { return }
        driver.read()
        guard state != .sendingUndecided, let part = PartNumber(1) else { return }
        if state == .partDeferred {
            driver.frame(
                .partDecision(PartDecision(part: part, decision: .later(code: .busy, retryAfterMilliseconds: 50))))
            return
        }
        driver.frame(.partDecision(PartDecision(part: part, decision: .send(offset: 0, limit: 1_000))))
        if state == .leaving { driver.frame(.goAway(GoAway(deadlineMilliseconds: 5_000, message: ""))) }
        guard state == .sent else { return }
        for _ in 0..<8 { driver.chunkSent() }
    }

    private static func apply(_ event: Event, to driver: inout AgentDriver) -> [AgentAction] {
        let upload = AgentDriver.upload
        switch event {
        case .frame(let frame): return driver.frame(frame)
        case .opened: return driver.frame(AgentDriver.opened(driver.session))
        case .openedOther: return driver.frame(AgentDriver.opened(SessionID(high: 5, low: 5)))
        case .adopted: return driver.frame(AgentDriver.opened(SessionID(high: 5, low: 5), isAdopted: true))
        case .connected:
            guard let id = driver.connections.last else { return [] }
            return driver.handle(.connected(id, by: nil))
        case .connectionLost: return driver.connectionLost()
        case .malformed:
            guard let id = driver.connections.last else { return [] }
            return driver.handle(.receivedMalformed(.badValue, message: "m", from: id))
        case .commit: return driver.commit()
        case .chunkSent: return driver.chunkSent()
        case .chunkFailed: return driver.chunkFailed()
        case .sessionLeft: return driver.frame(.sessionLeft(SessionLeft()))
        case .reading(let reading):
            guard let part = PartNumber(1) else { return [] }
            return driver.handle(.partRead(part, of: upload, reading))
        case .evidence(let reading): return driver.handle(.evidenceComputed(reading, of: upload))
        case .checked(let result): return driver.handle(.fileChecked(result, of: upload))
        case .tick(let duration): return driver.tick(after: duration)
        case .drop: return driver.handle(.dropped(upload))
        case .stop: return driver.handle(.stopped)
        case .journalFailed: return driver.handle(.journalFailed(UploadFailure(.journalFull)))
        case .submit: return driver.submit(size: 10, id: UploadID(2))
        }
    }

    // MARK: The table

    @Test(arguments: State.allCases)
    func everyEventHasADefinedResult(in state: State) {
        for event in Event.allCases {
            var driver = Self.driver(in: state)
            let hadUploads = !driver.machine.isIdle || !driver.outcomes.isEmpty
            let actions = Self.apply(event, to: &driver)
            let comment = "\(state), \(event)"
            Self.check(actions, driver, comment)
            if let deadline = driver.machine.nextDeadline, case .tick = event {
                #expect(deadline > driver.now, "\(comment)")
            }
            if case .frame(.ping) = event, !driver.connections.isEmpty {
                let answers = actions.count { if case .send(_, _, .pong(Pong(nonce: 7))) = $0 { true } else { false } }
                #expect(answers == 1, "\(comment)")
            }
            driver.comeToRest()
            Self.checkNothingIsLeft(driver, comment)
            let expected = (hadUploads ? 1 : 0) + { if case .submit = event { 1 } else { 0 } }()
            #expect(driver.outcomes.count == expected, "\(comment)")
        }
    }

    @Test(arguments: State.allCases)
    func anyEventSequenceLeavesNothing(in state: State) {
        let number = State.allCases.firstIndex(of: state) ?? 0
        var generator = SeededGenerator(seed: UInt64(number))
        let events = Event.allCases.filter {
            switch $0 {
            case .submit, .stop, .journalFailed, .malformed: false
            // An agent never expects these frames. They end every upload, as malformed frames do, so nothing would be
            // left to test.
            case .frame(.welcome), .frame(.hello), .frame(.sessionLeave): false
            default: true
            }
        }
        for _ in 0..<200 {
            var driver = Self.driver(in: state)
            var story = "\(state)"
            for _ in 0..<12 {
                guard let event = events.randomElement(using: &generator) else { return }
                story += ", \(event)"
                Self.check(Self.apply(event, to: &driver), driver, story)
                if Bool.random(using: &generator) { driver.welcome() }
                if Bool.random(using: &generator) { driver.commit() }
            }
            driver.comeToRest()
            Self.checkNothingIsLeft(driver, story)
        }
    }

    @Test func framesInClosedSlotsAreDiscarded() {
        for frame in Event.frames where SlotAnswer(frame) != nil {
            var driver = Self.driver(in: .sendingDecided)
            let before = driver.machine.progress(of: AgentDriver.upload)
            let actions = driver.frame(frame, slot: Slot(7))
            #expect(actions.isEmpty, "\(frame.type)")
            #expect(driver.machine.progress(of: AgentDriver.upload) == before)
        }
    }

    private static func check(_ actions: [AgentAction], _ driver: AgentDriver, _ comment: String) {
        for action in actions {
            guard case .send(_, let slot, let frame) = action else { continue }
            if !frame.isEncodable(slot: slot) { Issue.record("\(comment): \(frame.type) cannot be encoded") }
        }
        if driver.machine.partsUnderWay < 0 { Issue.record("\(comment): \(driver.machine.partsUnderWay) parts") }
    }

    private static func checkNothingIsLeft(_ driver: AgentDriver, _ comment: String) {
        let machine = driver.machine
        if !machine.isIdle || machine.partsUnderWay != 0 || machine.slotsInUse != 0 {
            Issue.record(
                "\(comment) leaves parts: \(machine.partsUnderWay), slots: \(machine.slotsInUse)")
        }
    }
}
