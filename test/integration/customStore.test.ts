/** The store that the guide teaches keeps the laws, as its own repository would find. */
import "../../examples/custom-store/test/MapStore.test.js"
