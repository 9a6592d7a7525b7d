/// Conversations that a machine does not follow yet, each with the reason. A test fails as soon as the machine follows
/// a listed conversation; then the entry must be removed. The aim is that these tables become empty.
enum NotYet {
    static let gateway: [String: String] = [:]

    static let agent: [String: String] = [:]

    /// Conversations in which another component of the agent, and not the machine, sends the agent's frames.
    static let outsideTheAgent: [String: String] = [
        "enrolment": "ENROL is the agent's only frame on a connection of its own, and `Enroller` sends it.",
        "report": "Uploads are attended by the user who began them: the machine sends no REPORT.",
    ]
}
