import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// COMPLETED carries a receipt if the agent asked for one and the gateway can prove what it signs (specification §9.5).
@Suite struct ReceiptTests {
    // MARK: One part

    @Test func onePartFileGetsARequestedReceipt() throws {
        var driver = GatewayDriver()
        driver.connect()
        let told = try #require(completed(driver.storeOnePart(asks: true)))
        #expect(told.evidence == .wholeDigest(ToyDigest.sha256(GatewayDriver.bytes(1, of: 900))))
        try expectRight(told)
    }

    @Test func noReceiptWithoutARequest() throws {
        var driver = GatewayDriver()
        driver.connect()
        #expect(try #require(completed(driver.storeOnePart(asks: false))).receipt == nil)
    }

    @Test func noReceiptWithoutAKey() throws {
        var driver = GatewayDriver(cryptography: ToyCryptography(receiptKey: nil))
        let welcome = frames(driver.connect()).compactMap {
            if case .welcome(let welcome) = $0 { welcome } else { nil }
        }
        #expect(welcome.map(\.receiptKey) == [[]])
        let actions = driver.storeOnePart(asks: true)
        #expect(try #require(completed(actions)).receipt == nil)
        #expect(!actions.contains(.note(.unsigned(device: "device-1"))), "nothing is wrong")
    }

    @Test func welcomeNamesTheKeyThatSigns() {
        var driver = GatewayDriver()
        let welcome = frames(driver.connect()).compactMap {
            if case .welcome(let welcome) = $0 { welcome } else { nil }
        }
        #expect(welcome.map(\.receiptKey) == [ToyCryptography.usualReceiptKey.publicKey])
    }

    @Test func failedSignatureDoesNotPreventCompletion() throws {
        var cryptography = ToyCryptography()
        cryptography.signs = false
        var driver = GatewayDriver(cryptography: cryptography)
        driver.connect()
        let actions = driver.storeOnePart(asks: true)
        #expect(try #require(completed(actions)).receipt == nil)
        #expect(actions.contains(.note(.unsigned(device: "device-1"))))
    }

    /// A request for a receipt counts for one use of the slot. It must not carry over to the next session in the same
    /// slot.
    @Test func reusedSlotNeedsANewRequest() throws {
        var driver = GatewayDriver()
        driver.connect()
        #expect(completed(driver.storeOnePart(asks: true))?.receipt != nil)
        let open = GatewayDriver.open(size: 900)
        #expect(completed(driver.frame(.sessionOpen(open)))?.receipt == nil)
        let asking = SessionOpen(
            session: GatewayDriver.session, terms: GatewayDriver.terms(size: 900, key: "file"), compares: true,
            asksForReceipt: true)
        try expectRight(try #require(completed(driver.frame(.sessionOpen(asking)))))
    }

    // MARK: Several parts

    @Test func receivedPartsAreEvidence() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500, asks: true)
        for part in 1...3 { try driver.store(part: UInt32(part)) }
        // The store lists the parts without digests, but the gateway has computed them while it stored the parts.
        let told = try #require(completed(try driver.complete(listing: entries(hasDigests: false))))
        #expect(told.evidence == .root(GatewayDriver.complete(2_500).root))
        try expectRight(told)
    }

    @Test func partsOfAnotherGatewayAreNoEvidence() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.resume(asks: true, listing: entries(hasDigests: false))
        try driver.store(part: 3)
        #expect(completed(try driver.complete(listing: entries(hasDigests: false)))?.receipt == nil)
    }

    @Test func digestsInTheStoresOwnListAreEvidence() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.resume(asks: true, listing: [])
        try expectRight(try #require(completed(try driver.complete(listing: entries(hasDigests: true)))))
    }

    /// The store confirms only the MD5 of a part. For the SHA-256 digest the gateway has nothing but the agent's claim,
    /// so it signs no receipt.
    @Test func md5OfAPartIsNoEvidence() throws {
        var driver = GatewayDriver()
        driver.connect()
        let content = GatewayDriver.bytes(1, of: 2_500)
        let md5 = ToyDigest.md5(content)
        let number = try #require(PartNumber(1))
        let listed = PartListEntry(part: number, size: 1_000, digest: nil, etag: md5.description)
        driver.resume(asks: true, listing: [listed])
        let offer = PartOffer(
            part: number, size: 1_000, isLast: false, digest: ToyDigest.sha256(content), md5: md5)
        let decided = frames(driver.frame(.partOffer(offer)))
        #expect(decided == [.partDecision(PartDecision(part: number, decision: .have(etag: md5.description)))])
        for part in 2...3 { try driver.store(part: UInt32(part)) }
        var list = GatewayDriver.entries(of: 2_500)
        list[0] = PartListEntry(part: number, size: 1_000, digest: ToyDigest.sha256(content), etag: md5.description)
        #expect(completed(try driver.complete(list, listing: list.map(\.withoutDigest)))?.receipt == nil)
    }

    /// Another gateway has stored a part again, and the agent completes with the ETag of that copy. This gateway has
    /// not seen the content of the copy, so it signs no receipt.
    @Test func partStoredAgainElsewhereIsNoEvidence() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500, asks: true)
        for part in 1...3 { try driver.store(part: UInt32(part)) }
        var list = GatewayDriver.entries(of: 2_500)
        list[1] = PartListEntry(part: list[1].part, size: 1_000, digest: list[1].digest, etag: "another")
        #expect(completed(try driver.complete(list, listing: list.map(\.withoutDigest)))?.receipt == nil)
    }

    @Test func onlyRequestingSlotsGetReceipts() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.openParts(size: 2_500, asks: false)
        for part in 1...3 { try driver.store(part: UInt32(part)) }
        let other = driver.newConnection()
        driver.connect(other)
        driver.frame(
            .resumeQuery(ResumeQuery(listedParts: 0, token: driver.tokens[0], asksForReceipt: true)), from: other)
        let actions = try driver.complete(listing: entries(hasDigests: false))
        #expect(completed(actions, to: GatewayDriver.connection)?.receipt == nil)
        try expectRight(try #require(completed(actions, to: other)))
    }

    // MARK: Existing objects

    /// SESSION OPEN finds that the session is already complete. COMPLETED describes the object in the store, and
    /// carries a receipt only if the store has verified the object's digest.
    @Test(arguments: [true, false])
    func foundObjectIsSignedByTheStoresEvidence(isVerified: Bool) throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.open(size: 2_500, asks: true)
        let told = try #require(
            completed(driver.answer(.object(Self.found(partBytes: 1_000, isVerified: isVerified)))))
        #expect((told.receipt != nil) == isVerified)
        if isVerified { try expectRight(told) }
    }

    /// COMPLETED names the session's part size, but the root digest of the object was computed with another part size.
    /// The two do not fit together, so the gateway signs no receipt.
    @Test func aRootDigestByAnotherPartSizeIsNotSigned() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.open(size: 2_500, asks: true)
        let actions = driver.answer(.object(Self.found(partBytes: 500, isVerified: true)))
        #expect(try #require(completed(actions)).receipt == nil)
    }

    private static func found(partBytes: UInt64, isVerified: Bool) -> ObjectSummary {
        ObjectSummary(
            size: 2_500, partBytes: partBytes, evidence: .root(GatewayDriver.complete(2_500).root), etag: "e",
            version: "v", session: GatewayDriver.session, isVerified: isVerified)
    }

    // MARK: Values

    private func entries(hasDigests: Bool) -> [PartListEntry] {
        GatewayDriver.entries(of: 2_500).map { hasDigests ? $0 : $0.withoutDigest }
    }

    private func completed(_ actions: [GatewayAction], to id: ConnectionID? = nil) -> Completed? {
        frames(actions, to: id).compactMap { if case .completed(let completed) = $0 { completed } else { nil } }.first
    }

    /// Checks the signature against the statement that an agent builds from COMPLETED.
    private func expectRight(_ completed: Completed, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let receipt = try #require(completed.receipt, sourceLocation: sourceLocation)
        let key = ToyCryptography.usualReceiptKey
        let statement = ReceiptStatement(
            storeIdentity: PairOptions().gatewayLimits.storeIdentity, siteKey: key.fingerprint,
            device: GatewayDriver.device.name, key: GatewayDriver.device.prefix + completed.location,
            session: GatewayDriver.session, size: completed.size, partBytes: completed.partBytes,
            evidence: completed.evidence, etag: completed.etag, version: completed.version,
            timeMilliseconds: receipt.timeMilliseconds)
        #expect(
            receipt.bytes == ToyCryptography.signature(of: try statement.encoded(), by: key.publicKey),
            sourceLocation: sourceLocation)
    }
}

extension PartListEntry {
    fileprivate var withoutDigest: PartListEntry { PartListEntry(part: part, size: size, digest: nil, etag: etag) }
}

extension GatewayDriver {
    fileprivate mutating func open(size: UInt64, asks: Bool) {
        frame(
            .sessionOpen(
                SessionOpen(
                    session: Self.session, terms: Self.terms(size: size, key: "file"), compares: true,
                    asksForReceipt: asks)))
    }

    fileprivate mutating func openParts(size: UInt64, asks: Bool) {
        open(size: size, asks: asks)
        for answer in [.object(nil), .records([]), .done, .uploadCreated(upload: "upload-1"), .done] as [StoreAnswer] {
            self.answer(answer)
        }
    }

    /// Resumes a session that is new to this gateway. The store lists the parts in `listing`.
    fileprivate mutating func resume(asks: Bool, listing: [PartListEntry]) {
        frame(.resumeQuery(ResumeQuery(listedParts: 0, token: Self.token(), asksForReceipt: asks)))
        answer(.parts(listing))
    }

    /// Sends a file of 900 bytes and completes it; the store confirms the object.
    fileprivate mutating func storeOnePart(asks: Bool) -> [GatewayAction] {
        open(size: 900, asks: asks)
        answer(.object(nil))
        guard let offer = Self.offer(1, of: 900) else { return [] }
        frame(.partOffer(offer))
        send(offer)
        frame(.complete(Self.complete(900)))
        return answer(.objectStored(Self.storedObject))
    }

    /// Sends a part of a 2,500-byte file; the store confirms it with the ETag that `entries` names.
    fileprivate mutating func store(part: UInt32) throws {
        let offer = try #require(Self.offer(part, of: 2_500))
        frame(.partOffer(offer))
        send(offer)
        answer(.partStored(etag: "etag-\(part)"))
    }

    private mutating func send(_ offer: PartOffer) {
        var offset: UInt64 = 0
        while offset < offer.size {
            let count = min(200, offer.size - offset)
            data(part: offer.part.value, offset: offset, bytes: UInt32(count))
            offset += count
            if let flow = flows.last { change { $0.consumed(offset, flow: flow, now: $1) } }
        }
    }

    fileprivate mutating func complete(
        _ list: [PartListEntry] = entries(of: 2_500), listing: [PartListEntry]
    ) throws -> [GatewayAction] {
        frame(.partList(PartList(entries: list, isLast: true)))
        frame(.complete(Self.complete(2_500)))
        answer(.parts(listing))
        let request = try #require(requests.first?.request)
        #expect(request.kind == .complete)
        return answer(.objectStored(Self.storedObject))
    }
}
