/// Which network interface a connection uses, if the user names interfaces.
///
/// By the system's routes alone, all connections would use the same interface, even if the computer has several. A
/// connection keeps its interface. If the interface fails, its connections end, and those of other interfaces continue.
package enum InterfacePlan {
    /// The interface of the next connection.
    ///
    /// - Parameters:
    ///   - names: the interfaces in order of preference; empty to follow the system's routes.
    ///   - used: the interfaces of the present connections, one entry for each. A connection that the gateway has asked
    ///     to end does not count, so that its successor gets the same interface.
    /// - Returns: the interface with the fewest connections, and among equals the first in `names`; `nil` if `names` is
    ///   empty.
    package static func choose(among names: [String], used: [String]) -> String? {
        let counts = Dictionary(grouping: used, by: \.self).mapValues(\.count)
        // `min` returns the first of several equal elements.
        return names.min { counts[$0, default: 0] < counts[$1, default: 0] }
    }
}
