/// Conversations to which a machine is not held yet, each with the reason. A test fails as soon as a machine keeps to
/// one that is listed here: then its line goes. These tables are to become empty.
enum NotYet {
    private static let receipts = "The gateway signs no receipts yet."
    private static let partials = "The gateway names every partial, asked or not, and none is a decision yet."
    private static let adoption = "SESSION OPENED adopted is not the answer to a query in one yet."
    private static let proving = "PROVE is not answered yet."
    private static let asking = "The agent asks for no receipts yet."

    static let gateway: [String: String] = [
        "metadata and a receipt": receipts,
        "several parts and a receipt": receipts,
        "resume at the same gateway": partials,
        "resume": partials,
        "leave": partials,
        "adoption": adoption,
        "adoption with offers sent ahead": adoption,
        "an adoption that is not wanted": adoption,
        "prove": proving,
        "prove by reading back": proving,
    ]

    static let agent: [String: String] = [
        "metadata and a receipt": "The agent names no metadata and asks for no receipts yet.",
        "several parts and a receipt": asking,
        "resume": "The agent asks for no partials yet.",
        "a foreign token": "The agent asks for no partials yet.",
        "adoption": "The agent resumes an adopted session with a query of its own.",
        "prove": "The agent does not ask by PROVE yet.",
        "prove by reading back": "The agent does not ask by PROVE yet.",
        "report": "The agent's machine sends no REPORT: its uploads are attended by the user who began them.",
    ]

    /// What another part of the agent says than its machine.
    static let outsideTheAgent: [String: String] = [
        "enrolment": "ENROL is the agent's only frame on a connection of its own, and `Enroller` sends it."
    ]
}
