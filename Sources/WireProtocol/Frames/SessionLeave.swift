/// The agent stops using the session in a slot, but does not abort it (specification §4.23, §6.1).
package struct SessionLeave: Hashable, Sendable {
    package init() {}
}

/// The gateway's answer to SESSION LEAVE. From then on the agent may use the slot for another session (specification
/// §4.23, §6.1).
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
