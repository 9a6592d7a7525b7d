import TransferCommon
import WireProtocol

/// Checks SESSION OPEN and session tokens, before the gateway attaches a slot to a session (specification §6.2, §6.3,
/// §11).
struct OpeningRule {
    /// Whether SESSION OPEN is accepted.
    enum OnOpen {
        case agreed(SessionRecord, PartPlan)
        case refused(SessionRefused)
    }

    /// Whether a token is accepted.
    enum OnToken {
        case agreed(SessionToken)
        case refused(SessionRefused)
    }

    let device: AuthorisedDevice
    /// The bounds on parts that WELCOME has named to the device.
    let parts: PartRule

    func judge(_ open: SessionOpen) -> OnOpen {
        var terms: SessionTerms
        do {
            terms = try open.terms
        } catch {
            return .refused(SessionRefused(.metadataInvalid, message: error.description))
        }
        do {
            terms.key = try KeyRule.wholeKey(prefix: device.prefix, key: terms.key)
        } catch {
            return .refused(SessionRefused(.keyInvalid, message: error.message))
        }
        guard terms.partBytes >= parts.partBytesMin, terms.partBytes <= parts.partBytesMax else {
            let bounds = "parts have \(parts.partBytesMin) to \(parts.partBytesMax) bytes here"
            return .refused(SessionRefused(.partSizeUnsupported, message: "\(bounds), not \(terms.partBytes)"))
        }
        guard parts.allows(fileBytes: terms.size, partBytes: terms.partBytes),
            let plan = PartPlan(fileBytes: terms.size, partBytes: terms.partBytes)
        else {
            let bounds = "at most \(parts.objectBytesMax) bytes and \(parts.partsMax) parts"
            return .refused(SessionRefused(.sizeUnsupported, message: "the gateway takes files of \(bounds)"))
        }
        let facts = SessionRecord(device: device.name, session: open.session, terms: terms, upload: nil)
        return .agreed(facts, plan)
    }

    /// Reads an unsealed token, and checks that its session belongs to the device. `owner` gives the name of the
    /// device that owns a session; `nil` if this gateway does not know the session.
    func judge(_ opening: TokenOpening, owner: (SessionID) -> String?) -> OnToken {
        switch opening {
        case .opened(let plain):
            switch SessionToken.read(plain) {
            case .token(let token): return judge(token, owner: owner)
            case .unknownFormat: return unreadable("the token is of a form that this gateway does not know")
            case .malformed: return .refused(SessionRefused(.tokenInvalid, message: "the token holds no session"))
            }
        case .invalid:
            return .refused(SessionRefused(.tokenInvalid, message: "the token is not one that this site sealed"))
        case .keyUnknown: return unreadable("this gateway does not have the key of the token")
        }
    }

    /// This gateway cannot read the token, but another gateway of the site may, so the agent tries again.
    private func unreadable(_ message: String) -> OnToken {
        .refused(SessionRefused(.tokenKeyUnknown, retryAfter: .seconds(1), message: message))
    }

    private func judge(_ token: SessionToken, owner: (SessionID) -> String?) -> OnToken {
        // Without an upload, each of several parts would be stored as if it were the whole file.
        guard let plan = PartPlan(fileBytes: token.terms.size, partBytes: token.terms.partBytes),
            plan.isOnePart || !token.upload.isEmpty
        else { return .refused(SessionRefused(.tokenInvalid, message: "the token names no upload")) }
        guard token.device == device.name, token.terms.key.utf8.starts(with: device.prefix.utf8),
            owner(token.session) ?? device.name == device.name
        else {
            let message = "the token is another device's, or of a prefix that the device does not have"
            return .refused(SessionRefused(.tokenForeign, message: message))
        }
        return .agreed(token)
    }
}
