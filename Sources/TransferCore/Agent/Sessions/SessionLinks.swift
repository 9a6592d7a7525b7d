import TransferCommon
import WireProtocol

/// The slots in which gateways carry one session. Each slot goes through these stages:
///
///     from        event                                                        to
///     opening     SESSION OPENED                                               open
///     opening     COMPLETE of a one-part file is sent ahead of the answer      completing
///     resuming    RESUME STATE ongoing                                         open
///     resuming    RESUME STATE completing                                      completing
///     open        COMPLETE is sent                                             completing
///     completing  PARTS WANTED; a one-part file's part is deferred or fails    open
///     completing  such a part is deferred or fails before SESSION OPENED       opening
///     aborting    the slot is closed                                           removed
///     any         the slot is closed or left; the connection is lost           removed
///
/// `AgentSlotTable` says which upload a slot belongs to. `SessionLinks` says which stage the session has reached in the
/// slot.
package struct SessionLinks: Hashable, Sendable {
    /// The stages of one slot, as the table in the comment on `SessionLinks` lists them.
    package enum Stage: String, CaseIterable, Hashable, Sendable {
        /// SESSION OPEN was sent.
        case opening
        /// RESUME QUERY was sent.
        case resuming
        /// Parts may be offered.
        case open
        /// COMPLETE was sent.
        case completing
        /// ABORT was sent.
        case aborting
    }

    struct Link: Hashable, Sendable {
        var place: Attachment
        fileprivate(set) var stage: Stage

        /// Whether SESSION OPEN or RESUME QUERY has not been answered.
        var isUnanswered: Bool { stage == .opening || stage == .resuming }
    }

    private var links: [Link] = []

    package init() {}

    /// All slots of the session, in the order in which they were taken.
    var all: [Link] { links }

    /// Whether no gateway carries the session.
    package var isEmpty: Bool { links.isEmpty }

    /// The connections on which the session has a slot.
    var connections: Set<ConnectionID> { Set(links.map(\.place.connection)) }

    func stage(at place: Attachment) -> Stage? { links.first { $0.place == place }?.stage }

    /// How many slots are in this stage.
    package func count(_ stage: Stage) -> Int { links.count { $0.stage == stage } }

    /// Whether a slot is in this stage.
    package func contains(_ stage: Stage) -> Bool { links.contains { $0.stage == stage } }

    func contains(_ connection: ConnectionID) -> Bool { links.contains { $0.place.connection == connection } }

    func contains(_ stage: Stage, on connection: ConnectionID) -> Bool {
        links.contains { $0.place.connection == connection && $0.stage == stage }
    }

    /// The first slot in which parts may be offered.
    var firstOpen: Attachment? { links.first { $0.stage == .open }?.place }

    /// Whether an answer of a gateway is awaited on a connection.
    func awaitsAnswer(on connection: ConnectionID) -> Bool {
        links.contains { $0.place.connection == connection && $0.stage != .open }
    }

    mutating func add(_ place: Attachment, _ stage: Stage) { links.append(Link(place: place, stage: stage)) }

    mutating func set(_ stage: Stage, at place: Attachment) {
        guard let index = links.firstIndex(where: { $0.place == place }) else { return }
        links[index].stage = stage
    }

    /// Voids COMPLETE of a one-part file, because its part was deferred or has failed.
    mutating func reopen(as stage: Stage) {
        for index in links.indices where links[index].stage == .completing { links[index].stage = stage }
    }

    mutating func remove(_ place: Attachment) { links.removeAll { $0.place == place } }

    mutating func remove(on connection: ConnectionID) { links.removeAll { $0.place.connection == connection } }

    /// Removes all slots: SESSION LEAVE was sent in each, or their connections end.
    package mutating func removeAll() { links = [] }
}
