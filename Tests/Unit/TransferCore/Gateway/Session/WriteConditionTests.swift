import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Which object a session may replace, as the gateway's machine enforces it (specification §6.3).
@Suite struct WriteConditionTests {
    static let earlier = SessionID(high: 9, low: 9)
    static let foreign = GatewayDriver.object(size: 2_500, session: earlier)
    static let nobodys = GatewayDriver.object(size: 2_500, session: nil)
    static let entries = GatewayDriver.entries(of: 2_500)

    // MARK: Opening

    struct Opening: CustomStringConvertible {
        var condition: WriteCondition
        var compares: Bool
        var object: ObjectSummary?
        var isShown: Bool

        var description: String { "\(condition), compares \(compares), \(String(describing: object))" }
    }

    static let openings = [
        Opening(condition: .absent, compares: true, object: nil, isShown: false),
        Opening(condition: .absent, compares: true, object: foreign, isShown: true),
        Opening(condition: .absent, compares: false, object: foreign, isShown: true),
        Opening(condition: .absent, compares: true, object: GatewayDriver.object(size: 3, session: nil), isShown: true),
        Opening(condition: .any, compares: true, object: foreign, isShown: true),
        Opening(condition: .any, compares: true, object: GatewayDriver.object(size: 3, session: nil), isShown: false),
        Opening(condition: .any, compares: false, object: foreign, isShown: false),
        Opening(condition: .matches(earlier), compares: false, object: foreign, isShown: false),
        Opening(condition: .matches(earlier), compares: false, object: nil, isShown: false),
        Opening(condition: .matches(earlier), compares: false, object: nobodys, isShown: true),
        Opening(condition: .matches(SessionID(high: 8, low: 8)), compares: false, object: foreign, isShown: true),
    ]

    @Test(arguments: openings)
    func conflictingObjectIsShown(_ opening: Opening) {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(
            .sessionOpen(GatewayDriver.open(size: 2_500, condition: opening.condition, compares: opening.compares)))
        let actions = driver.answer(.object(opening.object))
        let shown = frames(actions).compactMap { frame -> SessionExists? in
            if case .sessionExists(let exists) = frame { exists } else { nil }
        }
        #expect(shown.count == (opening.isShown ? 1 : 0))
        #expect(shown.first?.session == (opening.isShown ? opening.object?.session : nil))
        #expect(driver.requests.isEmpty == opening.isShown)
    }

    /// The key holds an object, and the agent asked for a comparison. If the object is no larger than the file, it may
    /// be equal to the file or to its beginning. Only the agent can tell, so the gateway logs no failure.
    @Test(
        arguments: [(true, 2_500, false), (true, 900, false), (true, 2_501, true), (false, 2_500, true)]
            as [(Bool, UInt64, Bool)])
    func aComparisonIsNoFailure(compares: Bool, size: UInt64, isFailure: Bool) {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500, compares: compares)))
        let actions = driver.answer(.object(GatewayDriver.object(size: size, session: Self.earlier)))
        #expect(Self.shows(frames(actions), Self.earlier))
        let notes = actions.filter { if case .note = $0 { true } else { false } }
        let failure = GatewayNote.failed(
            GatewayDriver.session, device: "device-1", key: "site/file", .keyTaken,
            message: "the key holds another object")
        #expect(notes == (isFailure ? [.note(failure)] : []))
    }

    @Test func aSessionOfOtherTermsIsNotAdopted() {
        for (condition, isAdopted) in [(WriteCondition.absent, true), (.any, false), (.matches(Self.earlier), false)] {
            var driver = GatewayDriver()
            driver.connect()
            driver.frame(.sessionOpen(GatewayDriver.open(size: 2_500)))
            driver.answer(.object(nil))
            let record = SessionRecord(
                device: GatewayDriver.device.name, session: Self.earlier,
                terms: GatewayDriver.terms(condition: condition), upload: "upload-9")
            let adopted = frames(driver.answer(.records([record])) + driver.answer(.parts([]))).contains { frame in
                if case .sessionOpened(let opened) = frame { opened.isAdopted } else { false }
            }
            #expect(adopted == isAdopted, "\(condition)")
        }
    }

    @Test func aKnownSessionIsNotOpenedWithOtherTerms() throws {
        var driver = try GatewayTableTests.driver(in: .open)
        let open = GatewayDriver.open(size: 2_500, condition: .any)
        let answer = frames(driver.frame(.sessionOpen(open), slot: Slot(2)))
        let codes = answer.map { frame -> ErrorCode? in
            if case .sessionRefused(let refused) = frame { refused.code } else { nil }
        }
        #expect(codes == [.superseded])
    }

    // MARK: Resuming

    /// The session token carries the write condition. So a resumed upload of a one-part file keeps to its condition and
    /// replaces no foreign object.
    @Test func resumedOnePartFileMeetsAForeignObject() {
        var driver = GatewayDriver()
        driver.connect()
        let token = GatewayDriver.token(size: 400, upload: "")
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)))
        let answer = frames(driver.answer(.object(GatewayDriver.object(size: 400, session: Self.earlier))))
        #expect(Self.shows(answer, Self.earlier))
    }

    @Test(arguments: [WriteCondition.absent, .any, .matches(earlier)])
    func aResumedSessionCompletesUnderItsCondition(_ condition: WriteCondition) throws {
        var driver = try Self.completing(condition)
        let expected: PutCondition
        if condition == .absent {
            expected = .ifAbsent
        } else {
            // The gateway does not know yet which object it may replace, so it looks up the key first.
            #expect(driver.requests.first?.request.kind == .lookUpObject)
            driver.answer(.object(Self.foreign))
            expected = .ifMatch(etag: "e")
        }
        #expect(Self.completion(driver) == expected)
    }

    @Test func olderTokenReplacesNothing() {
        let device = Array(GatewayDriver.device.name.utf8)
        let key = Array("site/file".utf8)
        var plain: [UInt8] = [1, UInt8(device.count)] + device + GatewayDriver.session.bytes
        plain += Self.bigEndian(400) + Self.bigEndian(1_000) + Self.bigEndian(5) + [0, 0, 0, 0] + Self.bigEndian(0)
        plain += [0, UInt8(key.count)] + key + [0, 0]
        #expect(SessionToken(encoded: plain)?.terms == GatewayDriver.terms(size: 400))
        var driver = GatewayDriver()
        driver.connect()
        let sealed = ToyCryptography().seal(token: plain) ?? []
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: sealed)))
        let answer = frames(driver.answer(.object(GatewayDriver.object(size: 400, session: Self.earlier))))
        #expect(Self.shows(answer, Self.earlier))
    }

    @Test func newerTokenIsForAnotherGateway() {
        var driver = GatewayDriver()
        driver.connect()
        let sealed = ToyCryptography().seal(token: [3, 1, 2, 3]) ?? []
        let answer = frames(driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: sealed))))
        #expect(answer.contains { if case .sessionRefused(let it) = $0 { it.code == .tokenKeyUnknown } else { false } })
    }

    // MARK: Failed conditions

    enum There: String, CaseIterable {
        case own, another, nothing
    }

    static let refusals: [StoreError] = [.keyTaken, .objectGone, .conflict]

    /// After any failed condition the gateway looks up the key, and keeps the upload until the store has answered.
    @Test(arguments: refusals, There.allCases)
    func lookUpDecidesAfterAFailedCondition(_ failure: StoreError, _ there: There) throws {
        var driver = try Self.completing(.absent)
        driver.answer(.failed(failure))
        #expect(driver.requests.map(\.request.kind) == [.lookUpObject], "the upload is not aborted")
        switch there {
        case .own:
            let answer = frames(driver.answer(.object(GatewayDriver.object())))
            #expect(answer.contains { if case .completed = $0 { true } else { false } })
        case .another:
            let answer = frames(driver.answer(.object(Self.foreign)))
            #expect(Self.shows(answer, Self.earlier))
            #expect(driver.requests.map(\.request.kind) == [.abort])
            driver.answer(.done)
            driver.answer(.parts([]))
            #expect(driver.requests.map(\.request.kind) == [.removeRecord])
        case .nothing:
            driver.answer(.object(nil))
            while driver.requests.isEmpty { driver.tick(after: .seconds(1)) }
            while driver.requests.first?.request.kind == .lookUpObject {
                #expect(failure == .conflict, "only the other request may be this session's own")
                driver.answer(.object(nil))
                while driver.requests.isEmpty { driver.tick(after: .seconds(1)) }
            }
            #expect(Self.completion(driver) == .ifAbsent)
        }
    }

    /// With *any*, a failed condition makes the gateway look up the key and repeat the request, now with the ETag of
    /// the object that the key holds.
    @Test func replaceableObjectIsNamedAgain() throws {
        var driver = try Self.completing(.any)
        driver.answer(.object(nil))
        #expect(Self.completion(driver) == .ifAbsent)
        driver.answer(.failed(.keyTaken))
        driver.answer(.object(Self.foreign))
        #expect(Self.completion(driver) == .ifMatch(etag: "e"))
    }

    @Test func conditionDecidesAboutASmallFilesConflict() throws {
        for (condition, isShown) in [(WriteCondition.absent, true), (.matches(Self.earlier), false)] {
            var driver = GatewayDriver()
            driver.connect()
            try Self.sendSmallFile(&driver, condition)
            driver.answer(.object(nil))
            driver.answer(.failed(.keyTaken))
            let answer = frames(driver.answer(.object(GatewayDriver.object(size: 400, session: Self.earlier))))
            #expect(Self.shows(answer, Self.earlier) == isShown)
            let isAsked = answer.contains { frame in
                if case .error(let report) = frame { report.code == .partInterrupted } else { false }
            }
            #expect(isAsked == !isShown)
        }
    }

    // MARK: Stores without conditions

    @Test(arguments: There.allCases)
    func keyIsLookedUpBeforeCompletion(_ there: There) throws {
        var driver = try Self.completing(.absent) { $0.conditions = .none }
        #expect(driver.requests.map(\.request.kind) == [.lookUpObject])
        switch there {
        case .own:
            let answer = frames(driver.answer(.object(GatewayDriver.object())))
            #expect(answer.contains { if case .completed = $0 { true } else { false } })
        case .another:
            #expect(Self.shows(frames(driver.answer(.object(Self.foreign))), Self.earlier))
        case .nothing:
            driver.answer(.object(nil))
            #expect(driver.requests.map(\.request.kind) == [.complete])
        }
    }

    @Test(arguments: There.allCases)
    func keyIsLookedUpBeforeTheLastBytes(_ there: There) throws {
        var driver = GatewayDriver { $0.conditions = .none }
        driver.connect()
        try Self.sendSmallFile(&driver, .absent)
        let actions = driver.answer(.object(nil))
        #expect(!Self.releases(actions))
        let put = driver.requests.removeFirst()
        #expect(put.request.kind == .storeObject)
        #expect(driver.requests.map(\.request.kind) == [.lookUpObject])
        switch there {
        case .own:
            let answer = frames(driver.answer(.object(GatewayDriver.object(size: 400))))
            #expect(answer.contains { if case .completed = $0 { true } else { false } })
        case .another:
            let answered = driver.answer(.object(GatewayDriver.object(size: 400, session: Self.earlier)))
            #expect(Self.shows(frames(answered), Self.earlier))
            #expect(!Self.releases(answered))
        case .nothing:
            #expect(Self.releases(driver.answer(.object(nil))))
        }
    }

    /// The connection is lost while the gateway looks up the key because of COMPLETE. When the store answers, the
    /// gateway must not pass the last bytes to the store. Only a COMPLETE on a connection that still exists allows
    /// that.
    @Test func lookUpOfALostConnectionReleasesNothing() throws {
        var driver = GatewayDriver { $0.conditions = .none }
        driver.connect()
        try Self.sendSmallFile(&driver, .absent)
        driver.answer(.object(nil))
        driver.requests.removeFirst()
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        #expect(!Self.releases(driver.answer(.object(nil))))
    }

    /// The session may replace only one named object, and this store does not check that condition. So the gateway
    /// looks up the key for each COMPLETE. The first COMPLETE is lost with its connection, and its look-up finds no
    /// object. The next COMPLETE needs a look-up of its own.
    @Test func lookUpIsRepeatedForAMatchingRequest() throws {
        var driver = GatewayDriver { $0.conditions.put = .init(ifAbsent: true, ifMatch: false) }
        driver.connect()
        try Self.sendSmallFile(&driver, .matches(Self.earlier))
        driver.answer(.object(GatewayDriver.object(size: 300, session: Self.earlier)))
        driver.requests.removeFirst()
        driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        #expect(!Self.releases(driver.answer(.object(nil))))
        let second = ConnectionID(2)
        driver.connect(second)
        let open = GatewayDriver.open(size: 400, condition: .matches(Self.earlier))
        driver.frame(.sessionOpen(open), slot: GatewayDriver.slot, from: second)
        let offer = try #require(GatewayDriver.offer(1, of: 400))
        driver.frame(.partOffer(offer), slot: GatewayDriver.slot, from: second)
        let actions = driver.frame(
            .complete(GatewayDriver.complete(400)), slot: GatewayDriver.slot, from: second)
        #expect(!Self.releases(actions))
        #expect(driver.requests.last?.request.kind == .lookUpObject)
    }

    // MARK: Patience

    /// The store no longer lists the upload. Another gateway may be completing it, so this gateway waits before it
    /// reports the upload as lost.
    @Test func slowCompletionIsNotLost() throws {
        var driver = try Self.completing(.absent) { $0.completionTimeMax = .seconds(60) }
        driver.answer(.failed(.uploadUnknown))
        var waited = Duration.zero
        while waited < .seconds(30) {
            let isLost = frames(driver.answer(.object(nil))).contains { if case .error = $0 { true } else { false } }
            #expect(!isLost, "after \(waited)")
            while driver.requests.isEmpty {
                driver.tick(after: .seconds(1))
                waited += .seconds(1)
            }
        }
        let answer = frames(driver.answer(.object(GatewayDriver.object())))
        #expect(answer.contains { if case .completed = $0 { true } else { false } })
    }

    // MARK: Helpers

    /// A driver with a resumed session of three parts. Its COMPLETE and its part list agree with the parts that the
    /// store lists.
    private static func completing(
        _ condition: WriteCondition, change: (inout GatewayLimits) -> Void = { _ in }
    ) throws -> GatewayDriver {
        var driver = GatewayDriver(change: change)
        driver.connect()
        let token = GatewayDriver.token(condition: condition)
        driver.frame(.resumeQuery(ResumeQuery(listedParts: 0, token: token)))
        driver.answer(.parts(entries))
        driver.frame(.partList(PartList(entries: entries, isLast: true)))
        driver.frame(.complete(GatewayDriver.complete(2_500)))
        driver.answer(.parts(entries))
        return driver
    }

    /// Sends SESSION OPEN, the part with its bytes, and COMPLETE, without waiting for answers.
    private static func sendSmallFile(_ driver: inout GatewayDriver, _ condition: WriteCondition) throws {
        driver.frame(.sessionOpen(GatewayDriver.open(size: 400, condition: condition)))
        driver.frame(.partOffer(try #require(GatewayDriver.offer(1, of: 400))))
        driver.data(bytes: 200)
        driver.data(offset: 200, bytes: 200)
        driver.frame(.complete(GatewayDriver.complete(400)))
    }

    private static func completion(_ driver: GatewayDriver) -> PutCondition? {
        guard case .complete(_, _, _, _, let condition)? = driver.requests.first?.request else { return nil }
        return condition
    }

    private static func shows(_ frames: [Frame], _ session: SessionID) -> Bool {
        frames.contains { if case .sessionExists(let exists) = $0 { exists.session == session } else { false } }
    }

    private static func releases(_ actions: [GatewayAction]) -> Bool {
        actions.contains { if case .releaseFlow = $0 { true } else { false } }
    }

    private static func bigEndian(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }
}
