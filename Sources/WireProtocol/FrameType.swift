/// The frame types of version 1, with the rules for their headers. They are in the order of the table in specification
/// §4.
package enum FrameType: UInt8, CaseIterable, Sendable {
    case hello = 0x01
    case welcome = 0x02
    case ping = 0x03
    case pong = 0x04
    case goAway = 0x05
    case error = 0x06
    case enrol = 0x07
    case enrolled = 0x08
    case sessionOpen = 0x10
    case sessionOpened = 0x11
    case sessionExists = 0x12
    case sessionRefused = 0x13
    case sessionLeave = 0x14
    case sessionLeft = 0x15
    case partOffer = 0x20
    case partDecision = 0x21
    case partData = 0x22
    case received = 0x23
    case stored = 0x24
    case resumeQuery = 0x30
    case resumeState = 0x31
    case partList = 0x32
    case complete = 0x40
    case partsWanted = 0x41
    case completed = 0x42
    case abort = 0x43
    case aborted = 0x44
    case prove = 0x50
    case proven = 0x51
    case report = 0x60
}

/// The two sides of a connection.
package enum Role: Sendable {
    case agent
    case gateway
}

/// The side that sends frames of a type.
package enum FrameDirection: Sendable {
    case agentToGateway
    case gatewayToAgent
    case both

    /// Whether `role` receives frames that are sent in this direction.
    package func reaches(_ role: Role) -> Bool {
        switch self {
        case .agentToGateway: role == .gateway
        case .gatewayToAgent: role == .agent
        case .both: true
        }
    }
}

/// The slots that frames of a type may use.
package enum FrameScope: Sendable {
    /// Slot 0 only.
    case connection
    /// Any slot except 0.
    case session
    /// Any slot. This is the scope of ERROR, whose body says whether it is about the connection or a session.
    case any

    /// Whether a frame of this scope may use `slot`.
    package func allows(_ slot: Slot) -> Bool {
        switch self {
        case .connection: slot == .connection
        case .session: slot != .connection
        case .any: true
        }
    }
}

extension FrameType {
    /// The longest body in bytes, without the header.
    package var bodyBytesMax: Int { rule.bodyBytesMax }

    /// The side that sends this type.
    package var direction: FrameDirection { rule.direction }

    /// The slots that this type may use.
    package var scope: FrameScope { rule.scope }

    /// The flag bits that have a meaning in this type; all others must be zero.
    package var definedFlags: UInt8 { rule.flags }

    /// The flag bits that every header of this type must have set. Only REPORT has one: bit 7 allows a receiver that
    /// does not know the type to skip the frame.
    package var requiredFlags: UInt8 { self == .report ? FrameHeader.skippableFlag : 0 }

    private typealias Rule = (
        name: String, direction: FrameDirection, scope: FrameScope, bodyBytesMax: Int, flags: UInt8
    )

    private var rule: Rule {
        switch self {
        case .hello: ("HELLO", .agentToGateway, .connection, 1_024, 0)
        case .welcome: ("WELCOME", .gatewayToAgent, .connection, 2_048, Welcome.nextSiteKeyFlag)
        case .ping: ("PING", .both, .connection, 64, 0)
        case .pong: ("PONG", .both, .connection, 64, 0)
        case .goAway: ("GO AWAY", .gatewayToAgent, .connection, 1_024, 0)
        case .error: ("ERROR", .both, .any, 1_024, 0)
        case .enrol: ("ENROL", .agentToGateway, .connection, 1_024, 0)
        case .enrolled: ("ENROLLED", .gatewayToAgent, .connection, 2_048, 0)
        case .sessionOpen:
            ("SESSION OPEN", .agentToGateway, .session, 4_096, SessionOpen.comparesFlag | SessionOpen.receiptFlag)
        case .sessionOpened: ("SESSION OPENED", .gatewayToAgent, .session, 65_536, SessionOpened.adoptedFlag)
        case .sessionExists: ("SESSION EXISTS", .gatewayToAgent, .session, 8_192, 0)
        case .sessionRefused: ("SESSION REFUSED", .gatewayToAgent, .session, 1_024, 0)
        case .sessionLeave: ("SESSION LEAVE", .agentToGateway, .session, 64, 0)
        case .sessionLeft: ("SESSION LEFT", .gatewayToAgent, .session, 64, 0)
        case .partOffer: ("PART OFFER", .agentToGateway, .session, 256, PartOffer.lastFlag | PartOffer.md5Flag)
        case .partDecision: ("PART DECISION", .gatewayToAgent, .session, 2_048, 0)
        case .partData: ("PART DATA", .agentToGateway, .session, 262_160, PartDataHeader.compressedFlag)
        case .received: ("RECEIVED", .gatewayToAgent, .session, 256, 0)
        case .stored: ("STORED", .gatewayToAgent, .session, 2_048, 0)
        case .resumeQuery:
            ("RESUME QUERY", .agentToGateway, .session, 8_192, ResumeQuery.partialsFlag | ResumeQuery.receiptFlag)
        case .resumeState: ("RESUME STATE", .gatewayToAgent, .session, 131_072, 0)
        case .partList: ("PART LIST", .both, .session, 262_144, PartList.lastFlag)
        case .complete: ("COMPLETE", .agentToGateway, .session, 256, Complete.firstFlag)
        case .partsWanted: ("PARTS WANTED", .gatewayToAgent, .session, 65_536, 0)
        case .completed: ("COMPLETED", .gatewayToAgent, .session, 8_192, Completed.receiptFlag)
        case .abort: ("ABORT", .agentToGateway, .session, 8_192, 0)
        case .aborted: ("ABORTED", .gatewayToAgent, .session, 64, 0)
        case .prove: ("PROVE", .agentToGateway, .session, 2_048, Prove.readsBackFlag)
        case .proven: ("PROVEN", .gatewayToAgent, .session, 8_192, Proven.receiptFlag)
        case .report: ("REPORT", .agentToGateway, .connection, 1_024, FrameHeader.skippableFlag)
        }
    }
}

extension FrameType: CustomStringConvertible {
    /// The frame's name in the specification, such as "SESSION OPEN".
    package var description: String { rule.name }
}
