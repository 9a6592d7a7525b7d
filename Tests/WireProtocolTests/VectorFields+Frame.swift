import WireProtocol

extension VectorFields {
    /// The frame that the fields describe, as the tables of specification §4 name them.
    mutating func frame(of type: FrameType, flags: UInt8) throws -> Frame {
        switch type {
        case .hello: .hello(try hello())
        case .welcome: .welcome(try welcome())
        case .ping: .ping(Ping(nonce: try integer("nonce")))
        case .pong: .pong(Pong(nonce: try integer("nonce")))
        case .goAway:
            .goAway(GoAway(deadlineMilliseconds: try integer("deadlineMilliseconds"), message: try text("message")))
        case .error: .error(try errorReport())
        case .enrol: .enrol(try enrol())
        case .enrolled: .enrolled(Enrolled(name: try text("name"), prefix: try text("prefix")))
        case .sessionOpen: .sessionOpen(try sessionOpen(flags: flags))
        case .sessionOpened:
            .sessionOpened(
                SessionOpened(
                    session: try session("session"), partBytes: try integer("partBytes"), token: try bytes("token"),
                    isAdopted: flags & 1 != 0))
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
            .resumeQuery(ResumeQuery(listedParts: try integer("listedParts"), token: try bytes("token")))
        case .resumeState: .resumeState(try resumeState())
        case .partList: .partList(PartList(entries: try partListEntries(), isLast: flags & 1 != 0))
        case .complete:
            .complete(
                Complete(
                    root: try digest("root"), partCount: try integer("partCount"), size: try integer("size"),
                    isFirst: flags & 1 != 0))
        case .partsWanted: .partsWanted(PartsWanted(parts: try parts(count: try integer("count"), "parts")))
        case .completed: .completed(try completed())
        case .abort: .abort(Abort(token: try bytes("token")))
        case .aborted: .aborted(Aborted())
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
            software: try text("software"))
    }

    private mutating func enrol() throws -> Enrol {
        let magic: UInt32 = try integer("magic")
        guard magic == 0x534C_5543 else { throw VectorError(reason: "magic") }
        return Enrol(
            fingerprint: try digest("fingerprint"),
            secret: try parse("secret") { text in bytesOfHexadecimal(text).flatMap { InvitationSecret(bytes: $0) } },
            software: try text("software"))
    }

    private mutating func welcome() throws -> Welcome {
        Welcome(
            version: try integer("version"), capabilities: Capabilities(rawValue: try integer("capabilities")),
            slotsMax: try integer("slotsMax"), chunkBytesMax: try integer("chunkBytesMax"),
            initialCreditBytes: try integer("initialCreditBytes"), partBytesMin: try integer("partBytesMin"),
            partBytesMax: try integer("partBytesMax"), partBytesDefault: try integer("partBytesDefault"),
            partsMax: try integer("partsMax"), objectBytesMax: try integer("objectBytesMax"),
            putLimitMilliseconds: try integer("putLimitMilliseconds"),
            idleLimitMilliseconds: try integer("idleLimitMilliseconds"), serverTime: try integer("serverTime"),
            software: try text("software"))
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
        let opened = try session("session")
        let size: UInt64? = try parse("size") { UInt64($0) }.knownSize
        let partBytes: UInt64 = try integer("partBytes")
        let modification = ModificationTime(
            seconds: try integer("modificationSeconds"), nanoseconds: try integer("modificationNanoseconds"))
        let code: UInt8 = try integer("condition")
        guard let condition = WriteCondition(code: code, session: try session("conditionSession")) else {
            throw VectorError(reason: "condition")
        }
        return SessionOpen(
            session: opened,
            terms: SessionTerms(
                key: try text("key"), size: size, partBytes: partBytes, modification: modification,
                condition: condition),
            compares: flags & 1 != 0)
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
        let partialsCount: Int = try integer("partials")
        var partials: [PartialPart] = []
        for _ in 0..<partialsCount {
            partials.append(PartialPart(part: try part("part"), offset: try integer("offset")))
        }
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

    private mutating func completed() throws -> Completed {
        Completed(
            size: try integer("size"), evidence: try evidence(), partBytes: try integer("partBytes"),
            etag: try text("etag"), version: try text("version"), location: try text("location"))
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
    /// `nil` for the size that says that none is known.
    fileprivate var knownSize: UInt64? { self == .max ? nil : self }
}
