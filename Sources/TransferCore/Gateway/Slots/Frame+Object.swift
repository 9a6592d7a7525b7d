import WireProtocol

extension Frame {
    /// Whether the frame tells the agent what its key holds, so that the use is not fruitless (specification §5.3).
    var tellsOfObject: Bool {
        switch self {
        case .completed, .sessionExists: true
        case .proven(let proven): proven != .absent
        case .sessionRefused(let refused): refused.code == .keyTaken
        case .error(let report): report.code == .keyTaken
        default: false
        }
    }
}
