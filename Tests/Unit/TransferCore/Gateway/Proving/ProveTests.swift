import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// How the gateway's machine answers PROVE (specification §9.6).
@Suite struct ProveTests {
    private static let root = GatewayDriver.complete(2_500).root
    private static let whole = ToyDigest.sha256(GatewayDriver.bytes(1, of: 900))

    // MARK: Outcomes

    @Test func aDigestThatTheStoreCheckedProvesTheFile() throws {
        var driver = GatewayDriver.reading()
        driver.connect()
        #expect(driver.prove().isEmpty)
        #expect(driver.requests.map(\.request.kind) == [.lookUpObject])
        let proven = proven(driver.answer(.object(object(.root(Self.root), partBytes: 1_000))))
        guard case .proven(let told, let receipt?) = proven else { return unexpected(proven) }
        #expect(told.evidence == .root(Self.root) && told.partBytes == 1_000 && told.session == GatewayDriver.session)
        let key = ToyCryptography.usualReceiptKey
        let statement = ReceiptStatement(
            storeIdentity: PairOptions().gatewayLimits.storeIdentity, siteKey: key.fingerprint,
            device: GatewayDriver.device.name, key: "site/file", session: GatewayDriver.session, size: 2_500,
            partBytes: 1_000, evidence: .root(Self.root), etag: "e", version: "v",
            timeMilliseconds: receipt.timeMilliseconds)
        #expect(receipt.bytes == ToyCryptography.signature(of: try statement.encoded(), by: key.publicKey))
    }

    @Test func wholeDigestProvesAOnePartFile() {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.prove(size: 900)
        let proven = proven(driver.answer(.object(object(.wholeDigest(Self.whole), size: 900))))
        guard case .proven(let told, receipt: .some) = proven else { return unexpected(proven) }
        #expect(told.evidence == .wholeDigest(Self.whole) && told.partBytes == 0)
    }

    @Test(arguments: [
        ContentEvidence.root(ToyDigest.root([])), .root(root), .wholeDigest(whole), .compositeMD5("x-3"), .none,
    ])
    func anotherSizeIsAnotherObject(evidence: ContentEvidence) {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.prove()
        let proven = proven(driver.answer(.object(object(evidence, size: 2_499, partBytes: 1_000))))
        guard case .different(let told) = proven else { return unexpected(proven) }
        #expect(told.size == 2_499)
    }

    @Test func evidenceThatDisagreesIsAnotherObject() {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.prove(readsBack: true)
        let proven = proven(driver.answer(.object(object(.root(ToyDigest.root([])), partBytes: 1_000))))
        guard case .different = proven else { return unexpected(proven) }
        #expect(driver.requests.isEmpty, "nothing is read back")
    }

    @Test func aKeyWithoutAnObjectIsAbsent() {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.prove(readsBack: true)
        #expect(proven(driver.answer(.object(nil))) == .absent)
    }

    /// None of this evidence proves the content of the file: an unverified digest, an MD5, a root digest that was
    /// computed with another part size, and a digest of the whole object for a file of several parts.
    @Test(arguments: [
        (ContentEvidence.wholeDigest(whole), UInt64(900), UInt64(0), false),
        (.root(root), 2_500, 1_000, false), (.root(root), 2_500, 500, true), (.wholeDigest(whole), 2_500, 0, true),
        (.compositeMD5("x-3"), 2_500, 1_000, false), (.none, 2_500, 0, false),
    ])
    func missingEvidenceLeavesTheContentUnknown(
        evidence: ContentEvidence, size: UInt64, partBytes: UInt64, isVerified: Bool
    ) {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.prove(size: size)
        let object = object(evidence, size: size, partBytes: partBytes, isVerified: isVerified)
        let proven = proven(driver.answer(.object(object)))
        guard case .unknown(let told) = proven else { return unexpected(proven) }
        #expect(told.evidence == (isVerified ? evidence : .none), "only verified evidence is sent")
        #expect(driver.requests.isEmpty)
    }

    @Test(arguments: [true, false])
    func withBit0TheObjectIsReadBack(agrees: Bool) {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.prove(readsBack: true)
        #expect(proven(driver.answer(.object(object(.compositeMD5("x-3"), isVerified: false)))) == nil)
        #expect(driver.requests.map(\.request) == [.readObject(key: "site/file", size: 2_500, partBytes: 1_000)])
        let read = object(.root(agrees ? Self.root : ToyDigest.root([])), partBytes: 1_000)
        let proven = proven(driver.answer(.object(read)))
        switch proven {
        case .proven(_, receipt: .some): #expect(agrees)
        case .different: #expect(!agrees)
        default: unexpected(proven)
        }
        #expect(driver.machine.slotsInUse == 0)
    }

    /// Between the look-up and the read, the object is replaced or removed. The gateway's answer follows from what it
    /// has read, not from the look-up.
    @Test func theObjectThatWasReadIsJudged() {
        for (answer, expected) in [(object(.none, size: 7, isVerified: false), true), (nil, false)] {
            var driver = GatewayDriver.reading()
            driver.connect()
            driver.prove(readsBack: true)
            driver.answer(.object(object(.none, isVerified: false)))
            let proven = proven(driver.answer(.object(answer)))
            switch proven {
            case .different(let told): #expect(expected && told.size == 7)
            case .absent: #expect(!expected)
            default: unexpected(proven)
            }
        }
    }

    /// The store cannot read its objects: the content stays unknown, and the gateway does not try again.
    @Test func anObjectIsReadOnce() {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.prove(readsBack: true)
        driver.answer(.object(object(.none, isVerified: false)))
        let proven = proven(driver.answer(.object(object(.none, isVerified: false))))
        guard case .unknown = proven else { return unexpected(proven) }
    }

    // MARK: Refusals

    @Test(arguments: ["", "/a", "../a", "a/../b", "a\u{0}"])
    func aKeyIsJudgedAsInSessionOpen(key: String) {
        var driver = GatewayDriver.reading()
        driver.connect()
        #expect(refusal(driver.prove(key: key)) == .keyInvalid)
        #expect(driver.requests.isEmpty)
    }

    /// The gateway refuses a PROVE for a file that would have more parts than a session may have, because each part
    /// costs one digest.
    @Test func aFileOfTooManyPartsIsRefused() {
        var driver = GatewayDriver.reading()
        driver.connect()
        #expect(refusal(driver.prove(size: 10_001, partBytes: 1)) == .sizeUnsupported)
        #expect(refusal(driver.prove(size: .max, partBytes: 1)) == .sizeUnsupported)
        #expect(driver.prove(size: 10_000, partBytes: 1).isEmpty)
    }

    @Test func aGatewayThatDrainsProvesNothing() {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.change { $0.drain(within: .seconds(10), now: $1) }
        #expect(refusal(driver.prove()) == .draining)
    }

    @Test(arguments: [
        (StoreError.unavailable(retryAfter: .seconds(2)), ErrorCode.storeUnavailable), (.denied, .storeRefuses),
        (.bucketMissing, .bucketMissing), (.keyUnsupported(message: ""), .keyUnsupported),
    ])
    func aStoreThatFailsRefuses(failure: StoreError, code: ErrorCode) {
        for isReading in [false, true] {
            var driver = GatewayDriver.reading()
            driver.connect()
            driver.prove(readsBack: true)
            if isReading { driver.answer(.object(object(.none, isVerified: false))) }
            #expect(refusal(driver.answer(.failed(failure))) == code)
            #expect(driver.machine.slotsInUse == 0)
            #expect(driver.machine.bytesReserved == UInt64(PairOptions().gatewayLimits.initialCreditBytes))
        }
    }

    // MARK: Rate of questions

    @Test func onlyAnAbsentObjectCountsAsFruitless() {
        var driver = GatewayDriver.reading { $0.fruitlessBeginningsAtOnce = 2 }
        driver.connect()
        for _ in 0..<20 {
            driver.prove()
            driver.answer(.object(object(.root(Self.root), partBytes: 1_000)))
            driver.prove(size: 7)
            driver.answer(.object(object(.none, isVerified: false)))
            driver.prove()
            driver.answer(.object(object(.none, isVerified: false)))
        }
        for _ in 0..<2 {
            driver.prove()
            #expect(proven(driver.answer(.object(nil))) == .absent)
        }
        #expect(refusal(driver.prove()) == .busy)
        #expect(driver.requests.isEmpty, "the store is not asked")
    }

    @Test func tooManyAtOnceAreRefused() {
        var driver = GatewayDriver.reading { $0.provesPerDeviceMax = 2 }
        driver.connect()
        #expect(driver.prove(slot: Slot(1)).isEmpty)
        #expect(driver.prove(slot: Slot(2)).isEmpty)
        #expect(refusal(driver.prove(slot: Slot(3))) == .busy)
        driver.answer(.object(nil))
        #expect(driver.prove(slot: Slot(3)).isEmpty)
    }

    @Test func tooManyOfAllDevicesAreRefused() {
        var driver = GatewayDriver.reading { $0.provesMax = 1 }
        driver.machine.devicesChanged([GatewayDriver.device, GatewayDriver.otherDevice], now: driver.now)
        driver.connect()
        let other = driver.newConnection()
        driver.connect(other, of: GatewayDriver.otherDevice)
        #expect(driver.prove().isEmpty)
        #expect(refusal(driver.prove(from: other)) == .busy)
        driver.answer(.object(nil))
        #expect(driver.prove(from: other).isEmpty)
    }

    // MARK: Leaving

    @Test func leftSlotGetsNoAnswer() {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.prove()
        let request = driver.requests[0].id
        let left = driver.frame(.sessionLeave(SessionLeave()))
        #expect(left.contains(.cancel(request)))
        #expect(frames(left) == [.sessionLeft(SessionLeft())])
        // The agent uses the slot again before the store answers.
        driver.prove()
        #expect(frames(driver.answer(.object(object(.root(Self.root), partBytes: 1_000)))).isEmpty)
        #expect(proven(driver.answer(.object(nil))) == .absent)
    }

    @Test(arguments: [true, false])
    func unneededReadBackIsCancelled(leaves: Bool) {
        var driver = GatewayDriver.reading()
        driver.connect()
        driver.prove(readsBack: true)
        driver.answer(.object(object(.none, isVerified: false)))
        let reading = driver.requests[0].id
        let actions =
            leaves
            ? driver.frame(.sessionLeave(SessionLeave()))
            : driver.change { $0.connectionLost(GatewayDriver.connection, now: $1) }
        #expect(actions.filter { $0 == .cancel(reading) }.count == 1)
        #expect(frames(driver.answer(.failed(.cancelled))).filter { $0 != .sessionLeft(SessionLeft()) }.isEmpty)
        #expect(driver.machine.slotsInUse == 0 && driver.machine.requestsUnderWay == 0)
    }

    // MARK: Values

    private func object(
        _ evidence: ContentEvidence, size: UInt64 = 2_500, partBytes: UInt64 = 0, isVerified: Bool = true
    ) -> ObjectSummary {
        ObjectSummary(
            size: size, partBytes: partBytes, evidence: evidence, etag: "e", version: "v",
            session: GatewayDriver.session, isVerified: isVerified)
    }

    private func proven(_ actions: [GatewayAction]) -> Proven? {
        frames(actions).compactMap { if case .proven(let proven) = $0 { proven } else { nil } }.first
    }

    private func refusal(_ actions: [GatewayAction]) -> ErrorCode? {
        frames(actions).compactMap { if case .sessionRefused(let refused) = $0 { refused.code } else { nil } }.first
    }

    private func unexpected(_ proven: Proven?, sourceLocation: SourceLocation = #_sourceLocation) {
        Issue.record("\(String(describing: proven))", sourceLocation: sourceLocation)
    }
}

extension GatewayDriver {
    /// A driver that does not answer the gateway's requests to read an object. The test answers them.
    static func reading(change: (inout GatewayLimits) -> Void = { _ in }) -> GatewayDriver {
        var driver = GatewayDriver(change: change)
        driver.readsTellNothing = false
        return driver
    }

    /// Sends PROVE with the root digest of the file that `GatewayDriver.complete` describes.
    @discardableResult
    mutating func prove(
        size: UInt64 = 2_500, partBytes: UInt64 = 1_000, key: String = "file", readsBack: Bool = false,
        slot: Slot = slot, from id: ConnectionID = connection
    ) -> [GatewayAction] {
        let root = Self.complete(min(size, 100_000)).root
        let question = Prove(size: size, partBytes: partBytes, root: root, key: key, readsBack: readsBack)
        return frame(.prove(question), slot: slot, from: id).filter { action in
            if case .store = action { false } else { true }
        }
    }
}
