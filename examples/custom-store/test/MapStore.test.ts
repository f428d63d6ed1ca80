import { StoreLaws } from "effect-larder/testing"
import * as MapStore from "../src/MapStore.js"

StoreLaws.suite("MapStore", MapStore.layer)
