/// What `StoreBreaker` goes by.
package struct StoreBreakerLimits: Hashable, Sendable {
    /// Calls lost in a row that open the breaker. The store's client has repeated each by itself where it could.
    package var lostMax = 3
    /// Refusals in a row that open it: of one device, and where several devices have had them.
    package var refusalsMax = 3
    package var refusalsMaxOfSeveral = 2
    /// The first wait; doubled after each failed trial, up to the longest.
    package var waitFirst = Duration.seconds(1)
    /// The first wait for a full store: space does not come back within a second, and a full store may take most of a
    /// part before it refuses it.
    package var waitFirstWhereFull = Duration.seconds(5)
    package var waitLongest = Duration.seconds(30)
    /// How long a trial without a result keeps other parts out.
    package var trialPatience = Duration.seconds(30)
    /// The most parts at once before the breaker closes.
    package var partsMaxRising = 8
    /// What an agent is advised to wait while as many parts are under way as may be.
    package var risingAdvice = Duration.milliseconds(200)
    /// What an agent may send of a part while something speaks against the store, until the store has taken some of it:
    /// where nobody answers, a trial costs no more than this.
    package var cautiousBytes: UInt64 = 64 << 10
    /// How far apart those come back that were deferred together, and for how many that is kept up.
    package var spread = Duration.milliseconds(20)
    package var spreadCountMax = 100

    package init() {}

    func waitFirst(_ cause: StoreBreaker.Cause) -> Duration { cause == .full ? waitFirstWhereFull : waitFirst }
}
