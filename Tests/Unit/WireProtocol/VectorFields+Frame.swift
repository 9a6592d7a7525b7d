import TransferCommon
import TransferCore
import WireProtocol

extension VectorFields {
    /// Builds the frame that the fields describe; the fields have the names of specification §4.
    mutating func frame(of type: FrameType, flags: UInt8) throws -> Frame {
        switch type {
        case .hello: .hello(try hello())
        case .welcome: .welcome(try welcome(flags: flags))
        case .ping: .ping(Ping(nonce: try integer("nonce")))
        case .pong: .pong(Pong(nonce: try integer("nonce")))
        case .goAway:
            .goAway(GoAway(deadlineMilliseconds: try integer("deadlineMilliseconds"), message: try text("message")))
        case .error: .error(try errorReport())
        case .enrol: .enrol(try enrol())
        case .enrolled: .enrolled(Enrolled(name: try text("name"), prefix: try text("prefix")))
        case .sessionOpen: .sessionOpen(try sessionOpen(flags: flags))
        case .sessionOpened: .sessionOpened(try sessionOpened(flags: flags))
        case .sessionExists: .sessionExists(try sessionExists())
        case .sessionRefused:
            .sessionRefused(
                SessionRefused(
                    code: try code("code"), retryAfterMilliseconds: try integer("retryAfterMilliseconds"),
                    message: try text("message")))
        case .partOffer: .partOffer(try partOffer(flags: flags))
        case .partDecision: .partDecision(try partDecision())
        case .partData: throw VectorError(reason: "PART DATA is no Frame")
        case .received:
            .received(
                Received(part: try part("part"), received: try integer("received"), limit: try integer("limit")))
        case .stored: .stored(Stored(part: try part("part"), etag: try text("etag")))
        case .resumeQuery:
            .resumeQuery(
                ResumeQuery(
                    listedParts: try integer("listedParts"), token: try bytes("token"),
                    asksForPartials: flags & 1 != 0, asksForReceipt: flags & 2 != 0))
        case .resumeState: .resumeState(try resumeState())
        case .partList: .partList(PartList(entries: try partListEntries(), isLast: flags & 1 != 0))
        case .complete:
            .complete(
                Complete(
                    root: try digest("root"), partCount: try integer("partCount"), size: try integer("size"),
                    isFirst: flags & 1 != 0))
        case .partsWanted: .partsWanted(PartsWanted(parts: try parts(count: try integer("count"), "parts")))
        case .completed: .completed(try completed(flags: flags))
        case .abort: .abort(Abort(token: try bytes("token")))
        case .aborted: .aborted(Aborted())
        case .prove: .prove(try prove(flags: flags))
        case .proven: .proven(try proven(flags: flags))
        case .report: .report(try statusReport())
        case .sessionLeave: .sessionLeave(SessionLeave())
        case .sessionLeft: .sessionLeft(SessionLeft())
        }
    }

    private mutating func hello() throws -> Hello {
        let magic: UInt32 = try integer("magic")
        guard magic == 0x534C_5543 else { throw VectorError(reason: "magic") }
        return Hello(
            versionMin: try integer("versionMin"), versionMax: try integer("versionMax"),
            capabilities: Capabilities(rawValue: try integer("capabilities")), fingerprint: try digest("fingerprint"),
            run: try parse("run") { text in SessionID(text).map { RunID(high: $0.high, low: $0.low) } },
            pins: try list("pins") { try $0.digest("pin") }, software: try text("software"))
    }

    private mutating func enrol() throws -> Enrol {
        let magic: UInt32 = try integer("magic")
        guard magic == 0x534C_5543 else { throw VectorError(reason: "magic") }
        return Enrol(
            fingerprint: try digest("fingerprint"),
            secret: try parse("secret") { text in bytesOfHexadecimal(text).flatMap { InvitationSecret(bytes: $0) } },
            software: try text("software"))
    }

    private mutating func welcome(flags: UInt8) throws -> Welcome {
        Welcome(
            version: try integer("version"), capabilities: Capabilities(rawValue: try integer("capabilities")),
            slotsMax: try integer("slotsMax"), chunkBytesMax: try integer("chunkBytesMax"),
            initialCreditBytes: try integer("initialCreditBytes"), partBytesMin: try integer("partBytesMin"),
            partBytesMax: try integer("partBytesMax"), partBytesDefault: try integer("partBytesDefault"),
            partsMax: try integer("partsMax"), objectBytesMax: try integer("objectBytesMax"),
            putLimitMilliseconds: try integer("putLimitMilliseconds"),
            idleLimitMilliseconds: try integer("idleLimitMilliseconds"), serverTime: try integer("serverTime"),
            software: try text("software"), deviceName: try text("deviceName"), prefix: try text("prefix"),
            storeIdentity: try digest("storeIdentity"), receiptKey: try bytes("receiptKey"),
            nextSiteKey: flags & 1 == 0 ? nil : try digest("nextSiteKey"))
    }

    private mutating func errorReport() throws -> ErrorReport {
        let scopeNumber: UInt8 = try integer("scope")
        let code = try code("code")
        let partValue: UInt32 = try integer("part")
        let scope: ErrorScope =
            switch (scopeNumber, PartNumber(partValue)) {
            case (1, let part?): .part(part)
            case (2, nil): .session
            case (3, nil): .connection
            default: throw VectorError(reason: "scope")
            }
        return ErrorReport(
            scope: scope, code: code, retryAfterMilliseconds: try integer("retryAfterMilliseconds"),
            message: try text("message"))
    }

    private mutating func sessionOpen(flags: UInt8) throws -> SessionOpen {
        let session = try session("session")
        let (terms, metadata) = try terms()
        return SessionOpen(
            session: session, terms: terms, metadata: metadata, compares: flags & 1 != 0,
            asksForReceipt: flags & 2 != 0)
    }

    /// Reads the fields from `size` to `key`, as in SESSION OPEN and in tokens. The metadata is returned separately and
    /// is not part of the terms, because it may break the rules of §6.6.
    private mutating func terms() throws -> (SessionTerms, OfferedMetadata) {
        let size: UInt64? = try parse("size") { UInt64($0) }.knownSize
        let partBytes: UInt64 = try integer("partBytes")
        let modification = ModificationTime(
            seconds: try integer("modificationSeconds"), nanoseconds: try integer("modificationNanoseconds"))
        let code: UInt8 = try integer("condition")
        guard let condition = WriteCondition(code: code, session: try session("conditionSession")) else {
            throw VectorError(reason: "condition")
        }
        let metadata = try offeredMetadata()
        let terms = SessionTerms(
            key: try text("key"), size: size, partBytes: partBytes, modification: modification, condition: condition)
        return (terms, metadata)
    }

    /// Reads the fields of a token's plain text (specification §11.1).
    mutating func sessionToken() throws -> SessionToken {
        guard try integer("format") == 2 else { throw VectorError(reason: "format") }
        let device = try text("device")
        let session = try session("session")
        var (terms, metadata) = try terms()
        terms.metadata = try SessionMetadata(metadata)
        return SessionToken(
            device: device, session: session, terms: terms, issuedMilliseconds: try integer("issued"),
            upload: try text("upload"))
    }

    private mutating func sessionOpened(flags: UInt8) throws -> SessionOpened {
        let (session, partBytes, token) =
            (try session("session"), try integer("partBytes"), try bytes("token"))
            as (SessionID, UInt64, [UInt8])
        guard flags & 1 != 0 else { return SessionOpened(session: session, partBytes: partBytes, token: token) }
        return SessionOpened(
            session: session, partBytes: partBytes, token: token,
            adoption: .init(candidateParts: try integer("candidateParts"), partials: try partials()))
    }

    private mutating func partials() throws -> [PartialPart] {
        try list("partials") { fields in
            PartialPart(
                part: try fields.part("part"), digest: try fields.digest("digest"),
                offset: try fields.integer("offset"), limit: try fields.integer("limit"))
        }
    }

    private mutating func sessionExists() throws -> SessionExists {
        let (size, partBytes): (UInt64, UInt64) = (try integer("size"), try integer("partBytes"))
        let evidence = try evidence()
        let (etag, version) = (try text("etag"), try text("version"))
        let isKnown: UInt8 = try integer("sessionPresent")
        let writer = try session("session")
        return SessionExists(
            size: size, partBytes: partBytes, evidence: evidence, etag: etag, version: version,
            session: isKnown == 1 ? writer : nil)
    }

    private mutating func partOffer(flags: UInt8) throws -> PartOffer {
        PartOffer(
            part: try part("part"), size: try integer("size"), isLast: flags & 1 != 0, digest: try digest("digest"),
            md5: flags & 2 == 0 ? nil : try parse("md5") { MD5Digest($0) })
    }

    private mutating func partDecision() throws -> PartDecision {
        let part = try part("part")
        let number: UInt8 = try integer("decision")
        let offset: UInt64 = try integer("offset")
        let limit: UInt64 = try integer("limit")
        let code = try code("code")
        let retryAfter: UInt32 = try integer("retryAfterMilliseconds")
        let etag = try text("etag")
        switch number {
        case 0: return PartDecision(part: part, decision: .send(offset: offset, limit: limit))
        case 1: return PartDecision(part: part, decision: .have(etag: etag))
        case 2: return PartDecision(part: part, decision: .later(code: code, retryAfterMilliseconds: retryAfter))
        case 3: return PartDecision(part: part, decision: .no(code: code))
        default: throw VectorError(reason: "decision \(number)")
        }
    }

    private mutating func resumeState() throws -> ResumeState {
        let phase = try parse("state") { text in UInt8(text).flatMap { ResumePhase(rawValue: $0) } }
        let partBytes: UInt64 = try integer("partBytes")
        let candidateParts: UInt32 = try integer("candidateParts")
        let partials = try partials()
        return ResumeState(
            phase: phase, partBytes: partBytes, candidateParts: candidateParts, partials: partials,
            wanted: try parts(count: try integer("wanted"), "part"), token: try bytes("token"))
    }

    private mutating func partListEntries() throws -> [PartListEntry] {
        let count: Int = try integer("count")
        var entries: [PartListEntry] = []
        for _ in 0..<count {
            let part = try part("part")
            let size: UInt64 = try integer("size")
            let digestPresent: Int = try integer("digestPresent")
            let digest = try digest("digest")
            entries.append(
                PartListEntry(
                    part: part, size: size, digest: digestPresent == 1 ? digest : nil, etag: try text("etag")))
        }
        return entries
    }

    private mutating func completed(flags: UInt8) throws -> Completed {
        Completed(
            size: try integer("size"), evidence: try evidence(), partBytes: try integer("partBytes"),
            etag: try text("etag"), version: try text("version"), location: try text("location"),
            receipt: flags & 1 == 0 ? nil : try receipt())
    }

    private mutating func receipt() throws -> ReceiptSignature {
        let time: Int64 = try integer("receiptTime")
        let bytes = try bytes("signature")
        guard let receipt = ReceiptSignature(timeMilliseconds: time, bytes: bytes) else {
            throw VectorError(reason: "signature")
        }
        return receipt
    }

    private mutating func prove(flags: UInt8) throws -> Prove {
        Prove(
            size: try integer("size"), partBytes: try integer("partBytes"), root: try digest("root"),
            key: try text("key"), readsBack: flags & 1 != 0)
    }

    private mutating func proven(flags: UInt8) throws -> Proven {
        let outcome: UInt8 = try integer("outcome")
        let size: UInt64 = try integer("size")
        let evidence = try evidence()
        let partBytes: UInt64 = try integer("partBytes")
        let (etag, version, session) = (try text("etag"), try text("version"), try session("session"))
        let object = ProvenObject(
            size: size, evidence: evidence, partBytes: partBytes, etag: etag, version: version,
            session: session == SessionID(high: 0, low: 0) ? nil : session)
        switch outcome {
        case 0: return .proven(object, receipt: flags & 1 == 0 ? nil : try receipt())
        case 1: return .absent
        case 2: return .different(object)
        case 3: return .unknown(object)
        default: throw VectorError(reason: "outcome \(outcome)")
        }
    }

    private mutating func statusReport() throws -> StatusReport {
        StatusReport(
            status: AgentStatus(rawValue: try integer("state")), pendingItems: try integer("pendingItems"),
            pendingBytes: try integer("pendingBytes"), oldestSeconds: try integer("oldestSeconds"),
            quarantinedItems: try integer("quarantinedItems"),
            freeBytes: try parse("freeBytes") { UInt64($0) }.knownSize, reason: try text("reason"))
    }

    private mutating func parts(count: Int, _ name: String) throws -> [PartNumber] {
        var parts: [PartNumber] = []
        for _ in 0..<count {
            parts.append(try part(name))
        }
        return parts
    }

    private mutating func evidence() throws -> ContentEvidence {
        let kind: UInt8 = try integer("evidenceKind")
        let bytes = try bytes("evidence")
        switch (kind, SHA256Digest(bytes: bytes)) {
        case (0, nil) where bytes.isEmpty: return .none
        case (1, let digest?): return .root(digest)
        case (2, let digest?): return .wholeDigest(digest)
        case (3, _): return .compositeMD5(String(decoding: bytes, as: UTF8.self))
        default: throw VectorError(reason: "evidence of kind \(kind)")
        }
    }
}

extension UInt64 {
    /// The size of the file; `nil` for the number that stands for an unknown size.
    fileprivate var knownSize: UInt64? { self == .max ? nil : self }
}
