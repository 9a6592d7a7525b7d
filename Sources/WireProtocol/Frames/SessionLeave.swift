/// The agent leaves a slot's session without aborting it (specification §4.23, §6.1).
package struct SessionLeave: Hashable, Sendable {
    package init() {}
}

/// The gateway's one answer to each SESSION LEAVE; the agent may then reuse the slot (specification §4.23, §6.1).
package struct SessionLeft: Hashable, Sendable {
    package init() {}
}

extension SessionLeave: FrameBody {
    static var type: FrameType { .sessionLeave }

    func encode(into writer: inout BodyWriter) throws(WireError) {}

    init(from reader: inout BodyReader) throws(WireError) {}
}

extension SessionLeft: FrameBody {
    static var type: FrameType { .sessionLeft }

    func encode(into writer: inout BodyWriter) throws(WireError) {}

    init(from reader: inout BodyReader) throws(WireError) {}
}
