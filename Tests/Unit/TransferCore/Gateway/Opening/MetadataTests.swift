import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// How the gateway handles metadata (specification §6.6).
@Suite struct MetadataTests {
    private static func offered(_ value: String = "3") -> OfferedMetadata {
        OfferedMetadata(contentType: "video/mp4", pairs: [MetadataPair(name: "line", value: value)])
    }

    private static func open(_ metadata: OfferedMetadata, session: SessionID = GatewayDriver.session) -> SessionOpen {
        SessionOpen(
            session: session, terms: GatewayDriver.terms(size: 2_500, key: "file"), metadata: metadata, compares: true,
            asksForReceipt: false)
    }

    @Test func invalidMetadataAreRefusedWithoutTheStore() throws {
        var driver = GatewayDriver()
        driver.connect()
        let actions = driver.frame(.sessionOpen(Self.open(Self.offered(" 3"))))
        guard case .sessionRefused(let refused)? = frames(actions).first else {
            Issue.record("not refused")
            return
        }
        #expect(refused.code == .metadataInvalid)
        #expect(refused.message.contains("line"))
        #expect(driver.requests.isEmpty)
    }

    /// The session record, the upload and the token carry the metadata.
    @Test func metadataAreSessionTerms() throws {
        let metadata = try SessionMetadata(Self.offered())
        var terms = GatewayDriver.terms(size: 2_500)
        terms.metadata = metadata
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(Self.open(Self.offered())))
        driver.answer(.object(nil))
        driver.answer(.records([]))
        let facts = SessionRecord(
            device: GatewayDriver.device.name, session: GatewayDriver.session, terms: terms, upload: nil)
        #expect(driver.requests.first?.request == .writeRecord(facts))
        driver.answer(.done)
        #expect(driver.requests.first?.request == .createUpload(key: "site/file", metadata: facts.objectMetadata))
        #expect(facts.objectMetadata.userMetadata == metadata)
        driver.answer(.uploadCreated(upload: "upload-1"))
        driver.answer(.done)
        let sealed = try #require(driver.tokens.last)
        guard case .opened(let plain) = ToyCryptography().open(token: sealed) else {
            Issue.record("the token does not open")
            return
        }
        #expect(SessionToken(encoded: plain)?.terms == terms)
    }

    @Test(arguments: ["3", "4"])
    func onlyASessionWithTheSameMetadataIsAdopted(value: String) throws {
        var terms = GatewayDriver.terms(size: 2_500)
        terms.metadata = try SessionMetadata(Self.offered())
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(Self.open(Self.offered(value))))
        driver.answer(.object(nil))
        let record = SessionRecord(
            device: GatewayDriver.device.name, session: SessionID(high: 9, low: 9), terms: terms, upload: "upload-9")
        let adopted = frames(driver.answer(.records([record])) + driver.answer(.parts([]))).contains { frame in
            if case .sessionOpened(let opened) = frame { opened.isAdopted } else { false }
        }
        #expect(adopted == (value == "3"))
    }

    @Test func aKnownSessionIsNotOpenedWithOtherMetadata() throws {
        var driver = GatewayDriver()
        driver.connect()
        driver.frame(.sessionOpen(Self.open(Self.offered())))
        let again = frames(driver.frame(.sessionOpen(Self.open(Self.offered("4"))), slot: Slot(2)))
        guard case .sessionRefused(let refused)? = again.first else {
            Issue.record("not refused")
            return
        }
        #expect(refused.code == .superseded)
    }
}
