import SystemSupport

/// The program to which a home belongs, as its files tell.
package enum HomeOwner: Equatable, Sendable {
    case agent
    case gateway

    /// The owner of a directory; `nil` if it has no file of either program, or files of both.
    package static func of(_ path: String) -> HomeOwner? {
        let isAgents = ["agent.yaml", "agent.json", "journal.sqlite"].contains { AtomicFile.exists("\(path)/\($0)") }
        let isGateways = ["gateway.yaml", "gateway.json", "keys", "devices"].contains {
            AtomicFile.exists("\(path)/\($0)")
        }
        guard isAgents != isGateways else { return nil }
        return isAgents ? .agent : .gateway
    }
}
